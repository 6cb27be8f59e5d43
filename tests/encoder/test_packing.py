"""Packed batches: geometry, independence of neighbours, batching by length."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.electra import SelectraEncoder
from spacy_selectra.encoder.packing import PackedLayout, length_batches
from spacy_selectra.errors import SelectraError


def test_layout_positions_and_first_pieces():
    layout = PackedLayout.from_lengths([3, 1, 2])
    assert layout.positions.tolist() == [0, 1, 2, 0, 0, 1]
    assert layout.first.tolist() == [0, 3, 4]
    assert layout.total == 6


def test_equal_lengths_need_no_copy():
    layout = PackedLayout.from_lengths([4, 4, 4])
    (group,) = layout.groups
    assert (group.count, group.length, group.bias, layout.map) == (3, 4, None, None)


def test_cells_hold_every_row_once_and_little_padding():
    lengths = np.random.default_rng(0).integers(1, 200, size=300)
    layout = PackedLayout.from_lengths(lengths)
    assert layout.map is not None
    rows, cells, empty = layout.map.rows, layout.map.cells, layout.map.empty
    assert torch.equal(rows[cells], torch.arange(layout.total))
    assert sorted([*cells.tolist(), *empty.tolist()]) == list(range(len(rows)))
    assert sum(group.count * group.length for group in layout.groups) == len(rows)
    assert len(rows) < 1.25 * layout.total


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


def test_length_batches_cover_everything_within_budget():
    lengths = np.random.default_rng(1).integers(1, 90, size=500)
    batches = length_batches(lengths, 400)
    assert sorted(np.concatenate(batches).tolist()) == list(range(500))
    assert all(lengths[batch].sum() <= 400 for batch in batches)
    assert all((np.diff(lengths[batch]) <= 0).all() for batch in batches)
    assert len(batches) < 1.3 * lengths.sum() / 400


def test_length_batches_give_a_long_item_its_own_batch():
    assert [batch.tolist() for batch in length_batches([5, 900, 5], 100)] == [[1], [0, 2]]
    assert length_batches([], 100) == []
