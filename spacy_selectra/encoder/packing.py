"""Where each sequence lies in a packed batch, and how attention walks over it.

A packed batch is one flat tensor of T pieces, sequence after sequence, with no
padding. Everything but attention works on single pieces and needs no more. For
attention, sequences of similar length form groups, each a rectangle of cells
(sequences x longest); a batch of equal lengths is one such rectangle as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

# A group holds sequences down to this share of its longest one, which fills rectangles to
# nine tenths on average, and shorter ones until so many attention scores (of each head) are
# computed for nothing: from there on they cost more than the kernel calls of another group.
SHORTEST_IN_GROUP = 0.8
WASTED_IN_GROUP = 200_000


@dataclass(frozen=True)
class AttentionGroup:
    """Sequences that attend in one batched product.

    Attributes:
        count: number of sequences.
        length: pieces of the longest one.
        bias: (count, 1, 1, length) float32, 0 for pieces and -inf for empty cells; None
            when all sequences have the same length.
    """

    count: int
    length: int
    bias: Tensor | None = None

    def part(self, begin: int, end: int) -> AttentionGroup:
        """Its sequences from `begin` up to `end`."""
        bias = None if self.bias is None else self.bias[begin:end]
        return AttentionGroup(end - begin, self.length, bias)


@dataclass(frozen=True)
class CellMap:
    """Between the T rows of a packed batch and the C cells of its groups.

    Attributes:
        rows: (C,) int64, row of each cell; 0 for empty cells.
        cells: (T,) int64, cell of each row.
        empty: (C - T,) int64, cells without a piece.
    """

    rows: Tensor
    cells: Tensor
    empty: Tensor

    def spread(self, values: Tensor, clear: bool = False) -> Tensor:
        """Rows (T, ...) laid out in their cells (C, ...); `clear` zeroes those without a piece."""
        cells = values.index_select(0, self.rows)
        return cells.index_fill_(0, self.empty, 0) if clear else cells

    def collect(self, cells: Tensor) -> Tensor:
        """The rows (T, ...) back out of their cells (C, ...)."""
        return cells.index_select(0, self.cells)


@dataclass(frozen=True)
class PackedLayout:
    """Geometry of a packed batch of B sequences and T pieces, computed once for all layers.

    Attributes:
        lengths: pieces of each sequence.
        total: T.
        positions: (T,) int64, place of each piece in its sequence.
        first: (B,) int64, row of each sequence's first piece ([CLS]).
        groups: how attention is computed; their cells lie one group after the other.
        map: which row each cell holds; None if cells are the rows in order.
        offsets: (B + 1,) int32, row of each sequence's first piece, and T.
        longest: pieces of the longest sequence.
    """

    lengths: list[int]
    total: int
    positions: Tensor
    first: Tensor
    groups: list[AttentionGroup]
    map: CellMap | None
    offsets: Tensor
    longest: int

    def by_group(self, cells: Tensor) -> tuple[Tensor, ...]:
        """The (C, ...) cells of each group."""
        return cells.split([group.count * group.length for group in self.groups])

    def each(self, change: Callable[[Tensor], Tensor]) -> PackedLayout:
        """The same layout with every tensor changed, say moved to a device."""
        return replace(
            self,
            positions=change(self.positions),
            first=change(self.first),
            offsets=change(self.offsets),
            groups=[
                replace(group, bias=None if group.bias is None else change(group.bias))
                for group in self.groups
            ],
            map=None
            if self.map is None
            else CellMap(change(self.map.rows), change(self.map.cells), change(self.map.empty)),
        )

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
        groups, cell_map = _arrange(starts, sizes, device)
        return cls(
            lengths=sizes.tolist(),
            total=total,
            positions=torch.from_numpy(positions).to(device),
            first=torch.from_numpy(starts).to(device),
            groups=groups,
            map=cell_map,
            offsets=torch.from_numpy(np.append(starts, total).astype(np.int32)).to(device),
            longest=int(sizes.max()) if sizes.size else 0,
        )


def _arrange(
    starts: np.ndarray, sizes: np.ndarray, device: torch.device | str
) -> tuple[list[AttentionGroup], CellMap | None]:
    if not sizes.size:
        return [], None
    if (sizes == sizes[0]).all():
        return [AttentionGroup(count=len(sizes), length=int(sizes[0]))], None
    groups: list[AttentionGroup] = []
    rows: list[np.ndarray] = []
    filled: list[np.ndarray] = []
    for members in _group_by_length(sizes):
        length = int(sizes[members].max())
        places = np.arange(length)
        present = places[None, :] < sizes[members][:, None]
        bias = None
        if not present.all():
            values = np.where(present, 0.0, -np.inf).astype(np.float32)
            bias = torch.from_numpy(values[:, None, None, :]).to(device)
        groups.append(AttentionGroup(count=len(members), length=length, bias=bias))
        rows.append(np.where(present, starts[members][:, None] + places[None, :], 0).reshape(-1))
        filled.append(present.reshape(-1))
    row_of_cell, present = np.concatenate(rows), np.concatenate(filled)
    cell_of_row = np.empty(int(sizes.sum()), dtype=np.int64)
    cell_of_row[row_of_cell[present]] = np.flatnonzero(present)
    return groups, CellMap(
        rows=torch.from_numpy(row_of_cell).to(device),
        cells=torch.from_numpy(cell_of_row).to(device),
        empty=torch.from_numpy(np.flatnonzero(~present)).to(device),
    )


def _group_by_length(sizes: np.ndarray) -> list[np.ndarray]:
    """Members of each group: neighbours in order of length, as far as padding them is worth it."""
    order = np.argsort(-sizes, kind="stable")
    descending = sizes[order]
    area = np.concatenate([[0], np.cumsum(descending**2)])
    groups: list[np.ndarray] = []
    begin = 0
    while begin < len(order):
        shortest = descending[begin] * SHORTEST_IN_GROUP
        similar = np.searchsorted(-descending, -shortest, side="right")
        ends = np.arange(begin, len(order) + 1)
        wasted = (ends - begin) * descending[begin] ** 2 - (area[ends] - area[begin])
        bearable = begin + np.searchsorted(wasted, WASTED_IN_GROUP, side="right") - 1
        end = int(max(similar, bearable))
        groups.append(order[begin:end])
        begin = end
    return groups
