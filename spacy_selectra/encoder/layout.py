"""The layout of a packed batch, with groups of sequences for attention.

A packed batch is a flat tensor of T pieces, sequence after sequence. Everything except attention
works on single pieces. For attention, sequences of similar length form groups, each a padded
rectangle of cells (sequences x longest); a batch of equal lengths is one rectangle without copies.

On CPUs the layers compute padding rows, and rectangles have more cells than needed, so that there
are few different sizes (`cpu/linear.py`). Padding rows and empty cells have finite values, do not
affect results and have a gradient of zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spacy_selectra.encoder.cpu.linear import rounded_count, rounded_length, rounded_rows

# A group holds sequences down to this share of its longest one, which fills rectangles to
# nine tenths on average, and shorter ones until so much is computed for nothing: from there on
# they cost more than the kernel calls of another group. Counted are attention scores of each head,
# and for each cell what copying its query, key, value and result costs beside them.
# Where code is generated for every shape, fewer groups are fewer shapes, too.
SHORTEST_IN_GROUP = 0.8
WASTED_IN_GROUP = 50_000
WASTED_FOR_FEW_SIZES = 150_000
CELL_COST = 170


@dataclass(frozen=True)
class AttentionGroup:
    """Sequences that attend in one batched product.

    Attributes:
        count: number of sequences.
        length: pieces of the longest one.
        bias: (count, 1, 1, length) float32, 0 for pieces and -inf for empty cells; None
            if all sequences have the same length.
    """

    count: int
    length: int
    bias: Tensor | None = None

    def part(self, begin: int, end: int) -> AttentionGroup:
        """Its sequences from `begin` up to `end`."""
        bias = None if self.bias is None else self.bias[begin:end]
        return AttentionGroup(end - begin, self.length, bias)


@dataclass(frozen=True)
class PadIndex:
    """Index between the R rows of the layers, T of them pieces, and the C cells of the groups.

    Attributes:
        rows: (C,) int64, row of each cell; 0 for empty cells.
        cells: (R,) int64, cell of each row; 0 for padding rows.
        empty: (C - T,) int64, cells without a piece.
        pieces: T.
        lines: (B,) int64, line of each sequence, counted over the rectangles of all groups.
        sequences: (lines,) int64, sequence in each line; 0 for empty lines.
    """

    rows: Tensor
    cells: Tensor
    empty: Tensor
    pieces: int
    lines: Tensor
    sequences: Tensor

    def pad(self, values: Tensor, clear: bool = False) -> Tensor:
        """Rows (R, ...) to cells (C, ...); `clear` zeroes cells without a piece."""
        cells = values.index_select(0, self.rows)
        return cells.index_fill_(0, self.empty, 0) if clear else cells

    def unpad(self, cells: Tensor, clear: bool = False) -> Tensor:
        """Cells (C, ...) to rows (R, ...); `clear` zeroes padding rows."""
        rows = cells.index_select(0, self.cells)
        if clear and len(rows) > self.pieces:
            rows[self.pieces :].zero_()
        return rows


@dataclass(frozen=True)
class HeadMap:
    """A `PadIndex` by attention head, with cells in the order group, line, head, position.

    A single lookup then puts each head's part of every row where batched products read it.

    Attributes:
        qkv: (3 * C * heads) int64, for each cell the index in the R * 3 * heads parts of queries,
            keys and values.
        qkv_back: (R * 3 * heads) int64, for each part of a row the index in (3 * C * heads).
        rows: (C * heads) int64, for each cell the index in the R * heads parts.
        rows_back: (R * heads) int64, for each part of a row the index in (C * heads).
        empty: int64, cells without a piece.
    """

    qkv: Tensor
    qkv_back: Tensor
    rows: Tensor
    rows_back: Tensor
    empty: Tensor


@dataclass(frozen=True)
class PackedLayout:
    """Layout of a packed batch of B sequences and T pieces, computed once for all layers.

    Attributes:
        lengths: pieces of each sequence.
        total: T.
        rows: R, number of rows of the layers: T, or more with padding rows.
        positions: (R,) int64, position of each piece in its sequence; 0 for padding rows.
        first: (B,) int64, row of each sequence's first piece ([CLS]).
        groups: groups for attention, whose cells are consecutive.
        map: row of each cell; None if cells are the rows in order.
        cu_seqlens: (B + 1,) int32, row of each sequence's first piece, and T.
        max_seqlen: pieces of the longest sequence.
    """

    lengths: list[int]
    total: int
    rows: int
    positions: Tensor
    first: Tensor
    groups: list[AttentionGroup]
    map: PadIndex | None
    cu_seqlens: Tensor
    max_seqlen: int
    _by_head: dict[int, HeadMap] = field(default_factory=dict, repr=False, compare=False)

    @property
    def present(self) -> Tensor:
        """(B, max_seqlen) bool, False for padding on the right."""
        device = self.first.device
        sizes = torch.tensor(self.lengths, dtype=torch.int64, device=device)
        return torch.arange(self.max_seqlen, device=device)[None, :] < sizes[:, None]

    def by_head(self, heads: int) -> HeadMap:
        """The index by head, computed once; `map` must not be None."""
        if heads not in self._by_head:
            assert self.map is not None
            self._by_head[heads] = _head_map(self.map, self.groups, heads)
        return self._by_head[heads]

    def by_group(self, cells: Tensor) -> tuple[Tensor, ...]:
        """The (C, ...) cells of each group."""
        return cells.split([group.count * group.length for group in self.groups])

    def each(self, change: Callable[[Tensor], Tensor]) -> PackedLayout:
        """The same layout with every tensor changed, for instance moved to a device."""
        return replace(
            self,
            _by_head={},
            positions=change(self.positions),
            first=change(self.first),
            cu_seqlens=change(self.cu_seqlens),
            groups=[
                replace(group, bias=None if group.bias is None else change(group.bias))
                for group in self.groups
            ],
            map=None
            if self.map is None
            else replace(
                self.map,
                rows=change(self.map.rows),
                cells=change(self.map.cells),
                empty=change(self.map.empty),
                lines=change(self.map.lines),
                sequences=change(self.map.sequences),
            ),
        )

    @classmethod
    def from_lengths(
        cls,
        lengths: Sequence[int] | Tensor | np.ndarray,
        device: torch.device | str = "cpu",
        few_sizes: bool = False,
    ) -> PackedLayout:
        """Layout for sequences of given lengths.

        Args:
            lengths: pieces of each sequence.
            device: of the layout's tensors.
            few_sizes: round up to few different sizes; useful on CPUs only.

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
        rows = rounded_rows(total) if few_sizes else total
        positions = np.zeros(rows, dtype=np.int64)
        positions[:total] = np.arange(total) - np.repeat(starts, sizes)
        groups, cell_map = _arrange(starts, sizes, rows, few_sizes, device)
        return cls(
            lengths=sizes.tolist(),
            total=total,
            rows=rows,
            positions=torch.from_numpy(positions).to(device),
            first=torch.from_numpy(starts).to(device),
            groups=groups,
            map=cell_map,
            cu_seqlens=torch.from_numpy(np.append(starts, total).astype(np.int32)).to(device),
            max_seqlen=int(sizes.max()) if sizes.size else 0,
        )


def _arrange(
    starts: np.ndarray, sizes: np.ndarray, n_rows: int, few_sizes: bool, device: torch.device | str
) -> tuple[list[AttentionGroup], PadIndex | None]:
    if not sizes.size:
        return [], None
    chosen = _group_by_length(sizes, few_sizes)
    (members, count, length), *others = chosen
    if not others and count * length == n_rows == sizes.sum():
        return [AttentionGroup(count=count, length=length)], None
    groups: list[AttentionGroup] = []
    rows: list[np.ndarray] = []
    filled: list[np.ndarray] = []
    lines: list[np.ndarray] = []
    for members, count, length in chosen:
        extents = np.zeros(count, dtype=np.int64)
        extents[: len(members)] = sizes[members]
        present = np.arange(length)[None, :] < extents[:, None]
        bias = None
        if not present.all():
            values = np.where(present, 0.0, -np.inf).astype(np.float32)
            values[len(members) :] = 0.0  # softmax of -inf only would be nan
            bias = torch.from_numpy(values[:, None, None, :]).to(device)
        groups.append(AttentionGroup(count=count, length=length, bias=bias))
        line = np.zeros(count, dtype=np.int64)
        line[: len(members)] = members
        rows.append(np.where(present, starts[line][:, None] + np.arange(length), 0).reshape(-1))
        filled.append(present.reshape(-1))
        lines.append(np.where(extents > 0, line, -1))
    row_of_cell, present = np.concatenate(rows), np.concatenate(filled)
    cell_of_row = np.zeros(n_rows, dtype=np.int64)
    cell_of_row[row_of_cell[present]] = np.flatnonzero(present)
    sequence_of_line = np.concatenate(lines)
    line_of_sequence = np.empty(len(sizes), dtype=np.int64)
    held = np.flatnonzero(sequence_of_line >= 0)
    line_of_sequence[sequence_of_line[held]] = held
    return groups, PadIndex(
        rows=torch.from_numpy(row_of_cell).to(device),
        cells=torch.from_numpy(cell_of_row).to(device),
        empty=torch.from_numpy(np.flatnonzero(~present)).to(device),
        pieces=int(sizes.sum()),
        lines=torch.from_numpy(line_of_sequence).to(device),
        sequences=torch.from_numpy(np.maximum(sequence_of_line, 0)).to(device),
    )


def _head_map(cells: PadIndex, groups: list[AttentionGroup], heads: int) -> HeadMap:
    device = cells.rows.device
    head = torch.arange(heads, device=device)
    targets, begin = [], 0  # indices for the parts of each cell
    for group in groups:
        line = torch.arange(group.count, device=device) * (heads * group.length)
        place = torch.arange(group.length, device=device)
        target = begin + line[:, None, None] + place[:, None] + head * group.length
        targets.append(target.reshape(-1, heads))
        begin += group.count * group.length * heads
    target = torch.cat(targets)  # (C, heads)

    def ordered(shares: Tensor) -> Tensor:
        result = shares.new_empty(begin)
        return result.index_copy_(0, target.reshape(-1), shares.reshape(-1))

    parts = torch.arange(3, device=device)[:, None]
    rows_back = target[cells.cells]  # (R, heads)
    return HeadMap(
        qkv=(ordered(cells.rows[:, None] * (3 * heads) + head) + parts * heads).reshape(-1),
        qkv_back=(rows_back[:, None, :] + parts * begin).reshape(-1),
        rows=ordered(cells.rows[:, None] * heads + head),
        rows_back=rows_back.reshape(-1),
        empty=target[cells.empty].reshape(-1),
    )


def _group_by_length(sizes: np.ndarray, few_sizes: bool) -> list[tuple[np.ndarray, int, int]]:
    """Members of each group, its number of lines (some may be empty) and the length of a line.

    Members are consecutive in order of length, as long as padding them is worthwhile.
    """
    order = np.argsort(-sizes, kind="stable")
    descending = sizes[order]
    useful = np.concatenate([[0], np.cumsum(_line_cost(descending))])
    allowed = WASTED_FOR_FEW_SIZES if few_sizes else WASTED_IN_GROUP
    groups: list[tuple[np.ndarray, int, int]] = []
    begin = 0
    while begin < len(order):
        left = len(order) - begin
        longest = int(descending[begin])
        similar = np.searchsorted(-descending, -longest * SHORTEST_IN_GROUP, side="right") - begin
        length = rounded_length(longest) if few_sizes else longest
        counts = np.arange(left + 1)
        wasted = counts * _line_cost(length) - (useful[begin : begin + left + 1] - useful[begin])
        bearable = np.searchsorted(wasted, allowed, side="right") - 1
        count = max(1, int(similar), int(bearable))
        if few_sizes and (larger := rounded_count(count)) > count:
            empty = max(0, larger - left)
            cost = wasted[min(larger, left)] + empty * _line_cost(length)
            count = larger if cost <= allowed else larger // 2
        groups.append((order[begin : begin + count], count, length))
        begin += count
    return groups


def _line_cost(length: Any) -> Any:
    """Cost of a line of a rectangle per head, in attention scores."""
    return length**2 + CELL_COST * length
