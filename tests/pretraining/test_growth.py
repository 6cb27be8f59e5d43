"""Larger networks that start from smaller ones."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError

from spacy_selectra.encoder.config import preset
from spacy_selectra.encoder.heads import Discriminator
from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.initialization.depth import stack_layers
from spacy_selectra.pretraining.pretrain import build_model
from spacy_selectra.text.tokenizer import read_vocabulary
from tests.pretraining.conftest import Published


def test_layers_stacked_upon_each_other(published: Published, start, data):
    plain, deeper = (
        build_model(
            start(
                encoder={"init_from": str(published.discriminator), "stack": times},
                generator={"init_from": str(published.generator)},
            ),
            read_vocabulary(data.tokenizer),
        )
        for times in (1, 3)
    )
    assert deeper.generator.encoder.embeddings is deeper.discriminator.encoder.embeddings
    for few, many in (
        (plain.discriminator, deeper.discriminator),
        (plain.generator, deeper.generator),
    ):
        layers = few.config.num_hidden_layers
        assert many.config.num_hidden_layers == len(many.encoder.layers) == 3 * layers
        for place, layer in enumerate(many.encoder.layers):
            below = few.encoder.layers[place % layers].state_dict()
            assert all(
                torch.equal(value, below[name]) for name, value in layer.state_dict().items()
            )
        stacked = many.state_dict()
        for name, value in few.state_dict().items():
            assert torch.equal(stacked[name], value), name


def test_narrow_embeddings_take_their_projection_into_themselves(published, start, data):
    vocabulary = read_vocabulary(data.tokenizer)
    narrow, wide = (
        build_model(
            start(encoder={"init_from": str(published.discriminator), "embedding_size": size}),
            vocabulary,
        )
        for size in (None, 32)
    )
    assert narrow.discriminator.encoder.embeddings_project is not None
    assert wide.discriminator.encoder.embeddings_project is None
    assert wide.discriminator.config.embedding_size == 32
    assert wide.generator.encoder.embeddings is wide.discriminator.encoder.embeddings
    ids = torch.randint(5, vocabulary.size, (20,), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        one, other = (
            model.eval().discriminator.encoder(ids, [20])[:20] for model in (narrow, wide)
        )
    similar = torch.cosine_similarity(one, other, dim=1)  # of unrelated ones: 0
    assert similar.mean() > 0.9


def test_layers_that_pass_on_what_they_get():
    config = replace(preset("tiny", 50), num_hidden_layers=2, initializer_range=0.1)
    torch.manual_seed(0)
    shallow = Discriminator(config)
    for name, weight in shallow.named_parameters():
        if "norm" in name:  # as after training
            torch.nn.init.normal_(weight, 1.0 if name.endswith("weight") else 0.0, 0.1)
    deep = stack_layers(shallow, 3, "identity")
    copied = stack_layers(shallow, 3)
    ids = torch.randint(5, 50, (20,))
    with torch.inference_mode():
        one, same, other = (
            model.eval().encoder(ids, [20])[:20] for model in (shallow, deep, copied)
        )
    assert len(deep.encoder.layers) == 6
    assert torch.cosine_similarity(one, same, dim=1).min() > 0.98
    assert torch.cosine_similarity(one, other, dim=1).mean() < 0.8
    layers = deep.encoder.layers
    assert torch.equal(layers[0].qkv.weight, layers[2].qkv.weight)
    assert torch.equal(layers[3].qkv.weight, shallow.encoder.layers[1].qkv.weight)
    assert not layers[1].output.weight.any()
    assert layers[3].output.weight.any()


def test_generator_copied_from_lower_layers(published, start, data):
    alone = published.discriminator.rename(published.discriminator.parent / "alone")
    model = build_model(
        start(encoder={"init_from": str(alone), "stack": 2}, generator={"copied_layers": 1}),
        read_vocabulary(data.tokenizer),
    )
    assert (len(model.generator.encoder.layers), len(model.discriminator.encoder.layers)) == (1, 4)
    lowest = model.discriminator.encoder.layers[0].state_dict()
    for name, tensor in model.generator.encoder.layers[0].state_dict().items():
        assert torch.equal(tensor, lowest[name]), name
        assert tensor is not lowest[name]
    assert torch.equal(
        model.generator.encoder.embeddings_project.weight,
        model.discriminator.encoder.embeddings_project.weight,
    )


def test_embeddings_that_cannot_be_widened(published, start, data):
    sections = {"encoder": {"init_from": str(published.discriminator), "embedding_size": 24}}
    with pytest.raises(SelectraError, match=r"embeddings of 16 .* wider \(32\), not 24"):
        build_model(start(**sections), read_vocabulary(data.tokenizer))
    sections["generator"] = {"init_from": str(published.generator)}
    with pytest.raises(ValidationError, match=r"shares the embeddings"):
        start(**sections)


def test_dropout_of_the_run_replaces_that_of_the_checkpoint(published, start, data):
    sections = {"init_from": str(published.discriminator), "hidden_dropout_prob": 0.0}
    model = build_model(
        start(encoder=sections, generator={"init_from": str(published.generator)}),
        read_vocabulary(data.tokenizer),
    )
    for network in (model.discriminator, model.generator):
        assert network.config.hidden_dropout_prob == 0.0
        assert network.config.attention_probs_dropout_prob == 0.1
        assert network.encoder.embeddings.dropout.probability == 0.0
