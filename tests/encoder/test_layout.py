"""Packed batches: geometry, independence of neighbours, batching by length."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.electra import SelectraEncoder
from spacy_selectra.encoder.layout import PackedLayout
from spacy_selectra.errors import SelectraError


@given(
    st.lists(st.integers(1, 200), min_size=1, max_size=40), st.booleans(), st.sampled_from([1, 3])
)
def test_where_every_piece_lies(lengths: list[int], few_sizes: bool, heads: int):
    layout = PackedLayout.from_lengths(lengths, few_sizes=few_sizes)
    starts = [sum(lengths[:place]) for place in range(len(lengths) + 1)]
    assert (layout.lengths, layout.total) == (lengths, starts[-1])
    assert layout.max_seqlen == max(lengths)
    assert layout.cu_seqlens.tolist() == starts
    assert layout.first.tolist() == starts[:-1]
    places = [place for length in lengths for place in range(length)]
    assert layout.positions.tolist() == places + [0] * (layout.rows - layout.total)
    if layout.map is None:
        (group,) = layout.groups
        assert (group.count, group.bias) == (len(lengths), None)
        assert lengths == [group.length] * group.count
        assert layout.rows == layout.total
        return

    # walk through the cells
    cell, line, held = 0, 0, []
    for group in layout.groups:
        for row in range(group.count):
            sequence = int(layout.map.sequences[line])
            length = lengths[sequence] if layout.map.lines[sequence] == line else 0
            held += [sequence] * (length > 0)
            assert length <= group.length
            rows = layout.map.rows[cell : cell + length].tolist()
            assert rows == list(range(starts[sequence], starts[sequence] + length))
            assert layout.map.cells[rows].tolist() == list(range(cell, cell + length))
            empty = set(range(cell + length, cell + group.length))
            assert empty <= set(layout.map.empty.tolist())
            if length and group.bias is not None:
                bias = [0.0] * length + [-math.inf] * (group.length - length)
                assert group.bias[row, 0, 0].tolist() == bias
            elif length:
                assert length == group.length
            cell, line = cell + group.length, line + 1
    assert sorted(held) == list(range(len(lengths)))
    assert (len(layout.map.rows), len(layout.map.empty)) == (cell, cell - layout.total)

    values = torch.arange(1, layout.rows + 1)
    cells = layout.map.pad(values, clear=True)
    assert cells.sum() == values[: layout.total].sum()
    back = layout.map.unpad(cells, clear=True)
    assert torch.equal(back[: layout.total], values[: layout.total])
    assert not back[layout.total :].any()

    # by head: group, line, head, place
    by_head = layout.by_head(heads)
    expected = torch.cat(
        [
            (rows.view(group.count, 1, group.length) * heads + torch.arange(heads)[:, None]).view(
                -1
            )
            for group, rows in zip(layout.groups, layout.by_group(layout.map.rows), strict=True)
        ]
    )
    assert torch.equal(by_head.rows, expected)
    pieces = torch.arange(layout.total * heads)
    assert torch.equal(by_head.rows[by_head.rows_back[: len(pieces)]], pieces)
    queries, keys, others = by_head.qkv.chunk(3)
    row, head = expected // heads, expected % heads
    assert torch.equal(queries, row * 3 * heads + head)
    assert torch.equal(keys, queries + heads)
    assert torch.equal(others, keys + heads)
    pieces = torch.arange(layout.total * 3 * heads)
    assert torch.equal(by_head.qkv[by_head.qkv_back[: len(pieces)]], pieces)
    filled = torch.ones(len(expected), dtype=torch.bool).index_fill_(0, by_head.empty, False)
    assert filled.sum() == layout.total * heads
    assert sorted(expected[filled].tolist()) == list(range(layout.total * heads))


def test_equal_lengths_need_no_copy():
    layout = PackedLayout.from_lengths([4, 4, 4])
    (group,) = layout.groups
    assert (group.count, group.length, group.bias, layout.map) == (3, 4, None, None)


def test_rectangles_hold_little_padding():
    lengths = np.random.default_rng(0).integers(1, 200, size=300)
    layout = PackedLayout.from_lengths(lengths)
    assert sum(group.count * group.length for group in layout.groups) < 1.25 * layout.total


def test_gradients_of_mixed_lengths_equal_those_of_single_sequences(tiny_config: EncoderConfig):
    torch.manual_seed(3)
    encoder = SelectraEncoder(tiny_config).eval()
    lengths = [5, 17, 16, 3, 30, 16, 1]
    ids = torch.randint(5, 100, (sum(lengths),))
    weights = torch.randn(sum(lengths), tiny_config.hidden_size)
    (encoder(ids, lengths) * weights).sum().backward()
    together = [parameter.grad.clone() for parameter in encoder.parameters()]
    encoder.zero_grad()
    for alone, weight in zip(ids.split(lengths), weights.split(lengths), strict=True):
        (encoder(alone, [len(alone)]) * weight).sum().backward()
    for gradient, parameter in zip(together, encoder.parameters(), strict=True):
        assert torch.allclose(gradient, parameter.grad, atol=1e-3, rtol=1e-4)


@torch.no_grad()
def test_a_sequence_does_not_see_its_neighbours(tiny_config: EncoderConfig):
    torch.manual_seed(1)
    encoder = SelectraEncoder(tiny_config).eval()
    lengths = [5, 17, 17, 3, 30, 16, 1]
    ids = torch.randint(5, 100, (sum(lengths),))
    together = encoder(ids, lengths).split(lengths)
    for alone, mixed in zip(ids.split(lengths), together, strict=True):
        assert torch.allclose(encoder(alone, [len(alone)]), mixed, atol=1e-5)


@torch.no_grad()
def test_empty_batch(tiny_config: EncoderConfig):
    encoder = SelectraEncoder(tiny_config).eval()
    assert encoder(torch.zeros(0, dtype=torch.int64), []).shape == (0, tiny_config.hidden_size)


def test_bad_lengths(tiny_config: EncoderConfig):
    encoder = SelectraEncoder(tiny_config)
    ids = torch.ones(70, dtype=torch.int64)
    with pytest.raises(ValueError, match="add up to 3"):
        encoder(ids, [3])
    with pytest.raises(ValueError, match="at least one piece"):
        encoder(ids, [70, 0])
    with pytest.raises(SelectraError, match="70 pieces is longer than this encoder's 64"):
        encoder(ids, [70])


def test_left_padding_is_refused(tiny_config: EncoderConfig):
    encoder = SelectraEncoder(tiny_config)
    mask = torch.tensor([[0, 1, 1]])
    with pytest.raises(ValueError, match="padded on the right"):
        encoder.forward_padded(torch.ones(1, 3, dtype=torch.int64), mask)


def test_gradient_checkpointing_changes_nothing(tiny_config: EncoderConfig):
    torch.manual_seed(2)
    encoder = SelectraEncoder(tiny_config).eval()
    ids = torch.randint(5, 100, (12,))
    gradients = []
    for checkpointing in (False, True):
        encoder.gradient_checkpointing = checkpointing
        encoder.zero_grad()
        encoder(ids, [5, 7]).square().sum().backward()
        gradients.append(encoder.layers[0].qkv.weight.grad.clone())
    assert torch.allclose(*gradients)
