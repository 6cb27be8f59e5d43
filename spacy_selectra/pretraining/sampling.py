"""Drawing from many large categorical distributions at once."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 256


def sample_rows(weights: Tensor, uniforms: Tensor) -> tuple[Tensor, Tensor]:
    """Draw one column of every row with probability proportional to its weight.

    The inverse of the cumulative distribution, on two levels: a block of columns by the sums
    of all blocks, then a column by the weights of that block alone. This reads the matrix
    once, for the sums, where a softmax, a Gumbel draw or `torch.multinomial` write
    or draw as many numbers again as there are columns. The cumulative sums are in float64, so
    that the draw is exact up to the rounding of the weights and of the block sums. A column
    of weight 0 is never drawn, as long as its row has a positive one.

    Args:
        weights: (M, V) float32, not negative, finite.
        uniforms: (M,) float64 in [0, 1).

    Returns:
        (M,) int64 columns, and (M,) float32 row sums of the weights, which come for free.
    """
    columns = weights.shape[1]
    whole = columns // BLOCK
    sums = weights[:, : whole * BLOCK].unflatten(1, (whole, BLOCK)).sum(-1)
    if columns % BLOCK:
        rest = weights[:, whole * BLOCK :].sum(-1, keepdim=True)
        sums = torch.cat([sums, rest], dim=1)
    block, residual, total = _invert(sums, None, uniforms)
    column = block[:, None] * BLOCK + torch.arange(BLOCK, device=weights.device)
    inside = weights.gather(1, column.clamp(max=columns - 1)).masked_fill_(column >= columns, 0)
    place, _, _ = _invert(inside, residual, uniforms)
    drawn = (block * BLOCK + place).clamp_(max=columns - 1)
    return drawn, total.to(weights.dtype)


def _invert(
    weights: Tensor, target: Tensor | None, uniforms: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The column at which each row's cumulative weight exceeds `target` (a share of the sum if
    None), how far into that column the target lies, and the row's sum."""
    cumulative = torch.cumsum(weights, dim=1, dtype=torch.float64)
    total = cumulative[:, -1]
    target = uniforms * total if target is None else target
    # rounding may put the target at or past the end; it belongs to the last column of weight
    target = torch.minimum(target, torch.nextafter(total, torch.zeros_like(total)))
    column = (cumulative <= target[:, None]).sum(dim=1)
    column = column.clamp_(max=weights.shape[1] - 1)
    before = (column - 1).clamp(min=0)
    passed = cumulative.gather(1, before[:, None]).squeeze(1)
    residual = target - torch.where(column > 0, passed, torch.zeros_like(passed))
    return column, residual, total
