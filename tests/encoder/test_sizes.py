"""Batches in few sizes: the same numbers as without, from products whose shapes come again."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import Tensor

from spacy_selectra.encoder import heads
from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.cpu import linear
from spacy_selectra.encoder.cpu.attention import attention_inference
from spacy_selectra.encoder.cpu.linear import (
    few_sizes_pay,
    pad_rows,
    rounded_count,
    rounded_length,
    rounded_rows,
)
from spacy_selectra.encoder.electra import SelectraEncoder
from spacy_selectra.encoder.heads import DiscriminatorHead, GeneratorHead, SequenceHead, TokenHead
from spacy_selectra.encoder.layout import PackedLayout
from spacy_selectra.encoder.precision import precision
from tests import processes

MIXED = [5, 33, 33, 7, 1, 60, 18, 18, 19, 2]
BATCHES = {
    "mixed": MIXED,
    "one": [3],
    "equal": [17, 17, 17],
    "a rectangle as it is": [16] * 8,
    "many short ones": [3, 4, 5] * 30,
    "hardly any alike": list(range(1, 61, 7)),
}


def test_rounded_rows_waste_little_and_leave_rounded_rests():
    numbers = [*range(1, 5000), 7373, 20_001]
    rounded = np.array([rounded_rows(number) for number in numbers])
    assert (rounded >= numbers).all()
    assert (np.diff(rounded) >= 0).all()
    large = np.array(numbers) > 1024
    assert ((rounded - numbers)[large] / rounded[large] < 1 / 16).all()
    assert len(set(rounded[rounded <= 2048])) == 43
    assert all(rounded_rows(n) == n for n in rounded.tolist())
    rests = {n % 2048 for n in rounded.tolist() if n > 2048} - {0}
    assert rests == set(range(128, 2048, 128))


def test_rounded_lengths_and_counts():
    assert [rounded_length(n) for n in (1, 9, 64, 65, 128, 130, 300, 512)] == [
        *(8, 16, 64, 80, 128, 160, 320, 512)
    ]
    assert len({rounded_length(n) for n in range(1, 513)}) == 20
    assert [rounded_count(n) for n in (1, 2, 3, 5, 64, 65)] == [1, 2, 4, 8, 64, 128]


@pytest.mark.parametrize("lengths", BATCHES.values(), ids=BATCHES)
def test_every_row_has_one_cell_and_every_sequence_one_line(lengths):
    layout = PackedLayout.from_lengths(lengths, few_sizes=True)
    assert layout.rows == rounded_rows(layout.total)
    assert len(layout.positions) == layout.rows
    for group in layout.groups:
        assert group.count == rounded_count(group.count)
        assert group.length == rounded_length(group.length)
    if layout.map is None:
        assert layout.rows == layout.total
        return
    rows, cells = layout.map.rows, layout.map.cells
    assert torch.equal(rows[cells[: layout.total]], torch.arange(layout.total))
    assert sum(group.count * group.length for group in layout.groups) == len(rows)
    assert len(layout.map.empty) == len(rows) - layout.total
    assert torch.equal(layout.map.sequences[layout.map.lines], torch.arange(len(lengths)))


def run(encoder: SelectraEncoder, ids: Tensor, lengths: list[int], few_sizes: bool, mode: str):
    """Vectors, vectors of first pieces, and gradients of all weights."""
    layout = PackedLayout.from_lengths(lengths, few_sizes=few_sizes)
    weight = torch.randn(len(ids), encoder.config.hidden_size, dtype=torch.float64)
    encoder.zero_grad()
    with precision(mode):
        hidden = encoder(ids, layout)
        (hidden * weight).sum().backward()
        with torch.no_grad():
            inferred = encoder(ids, layout)
            firsts = encoder(ids, layout, cls_only=True)
    gradients = [p.grad.clone() for p in encoder.parameters() if p.grad is not None]
    return [hidden.detach(), inferred, firsts, *gradients]


@pytest.mark.parametrize("as_modules", [False, True], ids=["written out", "as modules"])
@pytest.mark.parametrize("lengths", BATCHES.values(), ids=BATCHES)
def test_encoder_gives_the_same(lengths, as_modules, tiny_config: EncoderConfig, monkeypatch):
    torch.manual_seed(0)
    encoder = SelectraEncoder(tiny_config).double().eval()
    ids = torch.randint(5, 100, (sum(lengths),))
    if as_modules:  # the path of other devices
        monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    results = []
    for few_sizes in (False, True):
        torch.manual_seed(1)
        results.append(run(encoder, ids, lengths, few_sizes, "fp32"))
    for exact, rounded in zip(*results, strict=True):
        torch.testing.assert_close(rounded, exact, rtol=1e-9, atol=1e-10)


def test_padding_has_no_part_in_training_with_dropout(tiny_config: EncoderConfig):
    torch.manual_seed(0)
    layers = SelectraEncoder(tiny_config).train().layers
    layout = PackedLayout.from_lengths(MIXED, few_sizes=True)
    source = torch.randn(layout.rows, tiny_config.hidden_size)
    results = []
    for padding in (0.0, 3.0):
        torch.manual_seed(2)  # the same masks
        layers.zero_grad()
        hidden = source.clone()
        hidden[layout.total :] = padding
        for layer in layers:
            hidden = layer(hidden, layout)
        hidden[: layout.total].square().sum().backward()
        gradients = [parameter.grad.clone() for parameter in layers.parameters()]
        results.append([hidden[: layout.total].detach(), *gradients])
    for first, second in zip(*results, strict=True):
        torch.testing.assert_close(first, second)


def test_long_groups_in_parts(monkeypatch):
    lengths = [40] * 11 + [39] * 5
    layout = PackedLayout.from_lengths(lengths, few_sizes=True)
    qkv = torch.randn(layout.rows, 3 * 8, dtype=torch.float64)
    whole = attention_inference(qkv, layout, 2)
    monkeypatch.setattr("spacy_selectra.encoder.cpu.attention.SCORES_AT_ONCE", 3 * 2 * 40**2)
    torch.testing.assert_close(attention_inference(qkv, layout, 2), whole)


@pytest.mark.parametrize("head", [DiscriminatorHead, SequenceHead, TokenHead, GeneratorHead])
def test_heads_give_the_same(head, tiny_config: EncoderConfig, monkeypatch):
    torch.manual_seed(0)
    made = head(tiny_config, 3) if head in (SequenceHead, TokenHead) else head(tiny_config)
    made.eval()
    words = [torch.randn(50, tiny_config.embedding_size)] if head is GeneratorHead else []
    if words:
        made.bias = torch.nn.Parameter(torch.randn(50))
    hidden = torch.randn(37, tiny_config.hidden_size)
    exact = made(hidden, *words)
    for module in (linear, heads):
        monkeypatch.setattr(module, "few_sizes_pay", lambda: True)
    assert len(pad_rows(hidden)) == 48
    torch.testing.assert_close(made(hidden, *words), exact)


def test_few_sizes_pay_where_products_are_onednns():
    assert not few_sizes_pay()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert few_sizes_pay()
    with precision("fast"), torch.no_grad():
        assert few_sizes_pay()
    assert not few_sizes_pay()


def sixty_batches() -> None:
    torch.manual_seed(0)
    config = EncoderConfig(
        vocab_size=50,
        embedding_size=16,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        max_position_embeddings=64,
    )
    model = heads.Discriminator(config)
    for _ in range(60):
        lengths = torch.randint(1, 41, (12,)).tolist()
        ids = torch.randint(5, 50, (sum(lengths),))
        with precision("bf16"):
            model(ids, lengths).sum().backward()
            with torch.no_grad():
                model.eval()(ids, lengths)
        model.train()


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")
def test_code_is_generated_once():
    """Of 60 batches of all sizes; one by one they made some 2,000 kernels."""
    # read when oneDNN computes for the first time
    done = processes.run(sixty_batches, environment={"ONEDNN_VERBOSE": "profile_create"})
    assert done.returncode == 0, done.stderr
    if "onednn_verbose" not in done.stdout:
        pytest.skip("oneDNN computes nothing here, or says nothing")
    assert len(re.findall("create:cache_miss", done.stdout)) < 400
