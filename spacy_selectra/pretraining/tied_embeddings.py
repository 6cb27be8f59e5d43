"""One gradient for a table of embeddings that is looked up twice and multiplied with once.

Left to itself, automatic differentiation makes a gradient of the whole table for each of the three,
two of them nearly all zeros, and adds them up: most of the memory traffic of a step's backward pass
with a large vocabulary. Here lookups leave their rows behind, and they are added to the one dense
gradient when it is there.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class TiedEmbeddings:
    """A (V, E) table for one forward and backward pass.

    Args:
        table: the parameter; gets the gradient of everything done through this object.
        padding: row whose lookups have no gradient, as in `torch.nn.Embedding`.

    Attributes:
        table: what an output layer multiplies with. It must be used so, else there is no dense
            gradient to add rows to, and they are lost.
    """

    def __init__(self, table: Tensor, padding: int | None) -> None:
        self._rows: list[tuple[Tensor, Tensor]] = []
        self._padding = padding
        self.table = _Collect.apply(table, self._rows)

    def __call__(self, ids: Tensor) -> Tensor:
        """(T,) ids to (T, E) rows."""
        found = _Lookup.apply(self.table, ids, self._padding, self._rows)
        assert isinstance(found, Tensor)
        return found


class _Collect(torch.autograd.Function):
    """The table itself; its backward pass runs when those of all uses have."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: list[tuple[Tensor, Tensor]]) -> Tensor:
        ctx.rows = rows
        return table.view_as(table)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, None]:
        for ids, gradient in ctx.rows:
            grads[0].index_add_(0, ids, gradient)
        ctx.rows.clear()
        return grads[0], None


class _Lookup(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        table: Tensor,
        ids: Tensor,
        padding: int | None,
        rows: list[tuple[Tensor, Tensor]],
    ) -> Tensor:
        ctx.save_for_backward(ids)
        ctx.padding, ctx.rows = padding, rows
        return table.index_select(0, ids)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[None, None, None, None]:
        (ids,) = ctx.saved_tensors
        gradient = grads[0]
        if ctx.padding is not None:
            gradient = gradient.masked_fill((ids == ctx.padding)[:, None], 0)
        ctx.rows.append((ids, gradient))
        return None, None, None, None
