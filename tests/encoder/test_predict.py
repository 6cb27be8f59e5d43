"""Many sequences through a network: batches of similar length, and answers in the order asked."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from spacy_selectra.encoder.predict import inference, length_batches, packed_batches, predict
from spacy_selectra.text.encode import TypedPieces, join


class Sums(nn.Module):
    """Logits anybody can work out: of a piece its id and segment, of a sequence their sums."""

    def __init__(self, per_piece: bool) -> None:
        super().__init__()
        self.per_piece = per_piece
        self.one = nn.Parameter(torch.ones(()))
        self.sizes: list[int] = []

    def forward(self, ids: Tensor, lengths: list[int], types: Tensor) -> Tensor:
        assert not self.training
        assert not torch.is_grad_enabled()
        assert lengths == sorted(lengths, reverse=True)
        self.sizes.append(len(ids))
        rows = torch.stack([ids, types], dim=1) * self.one
        if self.per_piece:
            return rows
        return torch.stack([part.sum(dim=0) for part in rows.split(lengths)])


@given(st.lists(st.integers(1, 90), max_size=60), st.integers(1, 400))
def test_batches_of_similar_length(lengths: list[int], most: int):
    batches = length_batches(lengths, most)
    order = np.concatenate([*batches, np.empty(0, np.int64)]).tolist()
    assert order == sorted(range(len(lengths)), key=lambda index: -lengths[index])
    totals = [sum(lengths[index] for index in batch) for batch in batches]
    assert all(
        total <= most or len(batch) == 1 for total, batch in zip(totals, batches, strict=True)
    )
    # none is left before the next sequence would be too many
    for total, following in zip(totals, batches[1:], strict=False):
        assert total + lengths[following[0]] > most


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), min_size=2, max_size=2)),
    st.integers(1, 40),
)
def test_rows_of_sequences_made_of_stretches(stretches: list[list[tuple[int, int]]], most: int):
    table = np.array(stretches, dtype=np.int64).reshape(-1, 2, 2)
    seen = []
    for batch in packed_batches(table[:, :, 0], table[:, :, 1], most):
        seen += batch.members.tolist()
        parts = np.split(batch.rows, np.cumsum(batch.lengths)[:-1])
        for member, rows in zip(batch.members, parts, strict=True):
            expected = [
                row for begin, size in stretches[member] for row in range(begin, begin + size)
            ]
            assert rows.tolist() == expected
    assert sorted(seen) == list(range(len(stretches)))


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 1)), min_size=1, max_size=12)),
    st.booleans(),
    st.integers(1, 30),
)
def test_answers_come_in_the_order_of_the_sequences(
    texts: list[list[tuple[int, int]]], per_piece: bool, most: int
):
    model = Sums(per_piece)
    tables = [np.array(text, dtype=np.int64) for text in texts]
    sequences = [TypedPieces(table[:, 0], table[:, 1]) for table in tables]
    logits = predict(model, sequences, per_piece=per_piece, mode="fp32", max_pieces=most)
    assert len(logits) == len(texts)
    for table, found in zip(tables, logits, strict=True):
        assert found.tolist() == (table if per_piece else table.sum(axis=0)).tolist()
    assert all(size <= max(most, 12) for size in model.sizes)
    assert sum(model.sizes) == sum(map(len, texts))
    assert model.training


def test_networks_are_given_back_as_they_were():
    trained, ready = nn.Linear(2, 2), nn.Linear(2, 2).eval()
    with pytest.raises(KeyboardInterrupt), inference("fp32", trained, ready) as device:
        assert device == torch.device("cpu")
        assert not trained.training
        assert not ready.training
        raise KeyboardInterrupt
    assert trained.training
    assert not ready.training


def test_joined_sequences_follow_each_other():
    first = TypedPieces(np.array([5, 6]), np.array([0, 0]))
    second = TypedPieces(np.array([7]), np.array([1]))
    joined = join([first, second])
    assert (joined.ids.tolist(), joined.types.tolist()) == ([5, 6, 7], [0, 0, 1])
    assert len(joined) == 3
    assert joined.at(np.array([2, 0])).ids.tolist() == [7, 5]
