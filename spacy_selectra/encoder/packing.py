"""Where each sequence lies in a packed batch, and how attention walks over it.

A packed batch is one flat tensor of T pieces, sequence after sequence, with no
padding. Everything but attention works on single pieces and needs no more. For
attention, sequences of similar length are put in groups; a group of equal,
neighbouring sequences is a plain view of the batch, any other is gathered into
a (sequences, longest) rectangle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# A group may hold sequences down to this share of its longest one. Attention is about a
# tenth of a layer's work at length 128, so that rectangles filled to nine tenths on
# average cost one per cent, while more and smaller groups would cost more in kernel calls.
SHORTEST_IN_GROUP = 0.8


@dataclass(frozen=True)
class AttentionGroup:
    """Sequences that attend in one batched product.

    Attributes:
        count: number of sequences.
        length: pieces of the longest one.
        start: first row of the batch if the group is a contiguous view, else None.
        rows: (count * length,) int64, row of each cell, 0 where there is none; None for a view.
        valid: (pieces,) int64, cells that hold a piece, in order; None for a view.
        targets: (pieces,) int64, row of each valid cell; None for a view.
        bias: (count, 1, 1, length) float32, 0 for pieces and -inf for empty cells; None
            when all sequences have the same length.
    """

    count: int
    length: int
    start: int | None
    rows: Tensor | None = None
    valid: Tensor | None = None
    targets: Tensor | None = None
    bias: Tensor | None = None


@dataclass(frozen=True)
class PackedLayout:
    """Geometry of a packed batch of B sequences and T pieces, computed once for all layers.

    Attributes:
        lengths: pieces of each sequence.
        total: T.
        positions: (T,) int64, place of each piece in its sequence.
        first: (B,) int64, row of each sequence's first piece ([CLS]).
        groups: how attention is computed.
    """

    lengths: list[int]
    total: int
    positions: Tensor
    first: Tensor
    groups: list[AttentionGroup]

    @classmethod
    def from_lengths(
        cls, lengths: Sequence[int] | Tensor | np.ndarray, device: torch.device | str = "cpu"
    ) -> PackedLayout:
        """Lay out sequences of the given lengths.

        Raises:
            ValueError: a sequence without pieces.
        """
        if isinstance(lengths, Tensor):
            lengths = lengths.cpu().numpy()
        sizes = np.asarray(lengths, dtype=np.int64)
        if sizes.size and sizes.min() < 1:
            raise ValueError("every sequence of a packed batch needs at least one piece")
        ends = np.cumsum(sizes)
        starts = ends - sizes
        total = int(ends[-1]) if sizes.size else 0
        positions = np.arange(total) - np.repeat(starts, sizes)
        return cls(
            lengths=sizes.tolist(),
            total=total,
            positions=torch.from_numpy(positions).to(device),
            first=torch.from_numpy(starts.copy()).to(device),
            groups=[
                _make_group(starts[members], sizes[members], device)
                for members in _group_by_length(sizes)
            ],
        )


def _group_by_length(sizes: np.ndarray) -> list[np.ndarray]:
    """Members of each group: neighbours in order of length, none much shorter than the longest."""
    order = np.argsort(-sizes, kind="stable")
    groups: list[np.ndarray] = []
    begin = 0
    while begin < len(order):
        shortest = sizes[order[begin]] * SHORTEST_IN_GROUP
        # order is descending, so the members of this group are a run that ends
        # where lengths fall below the limit
        end = begin + int(np.searchsorted(-sizes[order[begin:]], -shortest, side="right"))
        groups.append(np.sort(order[begin:end]))
        begin = end
    return groups


def _make_group(
    starts: np.ndarray, sizes: np.ndarray, device: torch.device | str
) -> AttentionGroup:
    count, length = len(sizes), int(sizes.max())
    equal = bool((sizes == length).all())
    if equal and bool((np.diff(starts) == length).all()):
        return AttentionGroup(count=count, length=length, start=int(starts[0]))
    offsets = np.arange(length)
    filled = offsets[None, :] < sizes[:, None]
    rows = np.where(filled, starts[:, None] + offsets[None, :], 0)
    bias = None
    if not equal:
        cells = np.where(filled, 0.0, -np.inf).astype(np.float32)
        bias = torch.from_numpy(cells[:, None, None, :]).to(device)
    return AttentionGroup(
        count=count,
        length=length,
        start=None,
        rows=torch.from_numpy(rows.reshape(-1)).to(device),
        valid=torch.from_numpy(np.flatnonzero(filled)).to(device),
        targets=torch.from_numpy(rows[filled]).to(device),
        bias=bias,
    )
