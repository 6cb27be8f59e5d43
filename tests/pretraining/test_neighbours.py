"""Heads that start out looking at neighbours."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from spacy_selectra.encoder.config import EncoderConfig, generator_config, preset
from spacy_selectra.encoder.electra import SelectraEncoder
from spacy_selectra.encoder.heads import Discriminator, Generator, tie_embeddings
from spacy_selectra.encoder.layout import PackedLayout
from spacy_selectra.pretraining.initialization.neighbor_attention import (
    attend_to_neighbours,
    neighbour_plan,
    position_width,
)


def pair(config: EncoderConfig) -> tuple[SelectraEncoder, SelectraEncoder, int]:
    torch.manual_seed(0)
    discriminator, generator = Discriminator(config), Generator(generator_config(config, 0.25))
    tie_embeddings(generator, discriminator)
    width = position_width(discriminator.config, generator.config)
    words = discriminator.encoder.embeddings.word_embeddings.weight
    with torch.no_grad():
        words[:, -width:] = 0
    attend_to_neighbours([discriminator.encoder, generator.encoder], width)
    return discriminator.encoder, generator.encoder, width


def first_attention(encoder: SelectraEncoder, length: int = 60) -> torch.Tensor:
    """(heads, length, length) weights of the first layer on random pieces."""
    config = encoder.config
    ids = torch.randint(5, config.vocab_size, (length,))
    with torch.no_grad():
        hidden = encoder.embeddings(ids, PackedLayout.from_lengths([length]), None)
        if encoder.embeddings_project is not None:
            hidden = encoder.embeddings_project(hidden)
        qkv = encoder.layers[0].get_submodule("qkv")(hidden)
    size = config.hidden_size // config.num_attention_heads
    query, key, _ = qkv.view(length, 3, config.num_attention_heads, size).unbind(1)
    return (torch.einsum("ihd,jhd->hij", query, key) / size**0.5).softmax(-1)


@pytest.mark.parametrize("name", ["tiny", "small", "base"])
def test_each_planned_head_mostly_sees_its_neighbour(name: str):
    config = replace(preset(name, vocab_size=200), hidden_dropout_prob=0.0)
    for encoder in pair(config)[:2]:
        plan = neighbour_plan(len(encoder.layers), encoder.config.num_attention_heads)
        attention = first_attention(encoder)
        places = torch.arange(4, 56)
        for head, offset in enumerate(plan[0]):
            share = attention[head, places, places + offset].mean()
            assert 0.5 < share < 0.99, (name, head, offset)


def test_heads_of_both_networks_together_cover_both_sides():
    assert neighbour_plan(4, 4) == [[-1, 1, -2, 2], [-1, 1]]
    assert neighbour_plan(12, 12) == [[-1, 1, -2, 2], [-1, 1]]
    assert neighbour_plan(4, 1) == [[-1], [1], [-2]]
    assert neighbour_plan(4, 2) == [[-1, 1], [-2, 2]]
    assert neighbour_plan(1, 4) == []


@pytest.mark.parametrize(
    "sizes",
    [
        {"embedding_size": 8, "hidden_size": 8, "num_attention_heads": 2},
        {"embedding_size": 16, "hidden_size": 32, "num_attention_heads": 8},
        {"embedding_size": 64, "hidden_size": 32, "num_attention_heads": 1},
    ],
)
def test_any_size_stays_finite(sizes: dict[str, int]):
    config = EncoderConfig(
        vocab_size=50,
        num_hidden_layers=2,
        intermediate_size=16,
        max_position_embeddings=70,
        **sizes,
    )
    for encoder in pair(config)[:2]:
        encoder.eval()
        assert torch.isfinite(encoder(torch.randint(5, 50, (60,)), [60])).all()


def test_the_other_columns_of_positions_are_the_tokens_own():
    encoder, _, width = pair(preset("tiny", vocab_size=200))
    positions = encoder.embeddings.position_embeddings.weight
    assert positions[:, :-width].eq(0).all()
    norms = positions.norm(dim=1)
    torch.testing.assert_close(norms, norms[:1].expand_as(norms))
