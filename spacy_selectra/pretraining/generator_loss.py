"""The generator's output layer, cross-entropy and sampling, fused block by block.

For M predictions over V entries, separate operations read or write M * V numbers a dozen times,
mostly in float32. Here the logits are computed once, in the precision of matrix products, and
are overwritten by their gradient while a block of rows is in the cache.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Elements of a block: 8 MiB of float32 stay in a core's share of the last cache; a GPU needs
# large blocks to be busy, and has the memory.
_BLOCK = {"cpu": 1 << 21, "cuda": 1 << 27}


class TableCast:
    """Converts an embedding table to the type of products, into memory that is reused.

    Allocating a large table takes several times as long as the conversion, because the system
    has to clear every page.
    """

    def __init__(self) -> None:
        self._memory: Tensor | None = None

    def __call__(self, table: Tensor, dtype: torch.dtype) -> Tensor:
        """(V, E) in `dtype`; valid until the next call for a table with other values."""
        if table.dtype == dtype:
            return table
        memory = self._memory
        if memory is None or (memory.shape, memory.dtype) != (table.shape, dtype):
            memory = self._memory = torch.empty_like(table, dtype=dtype, requires_grad=False)
        # .data: autograd must not see the same values written again as a change
        return memory.data.copy_(table.detach())


class _VocabularyLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        words: Tensor,
        bias: Tensor,
        targets: Tensor,
        uniforms: Tensor | None,
        cast: TableCast,
    ) -> tuple[Tensor, Tensor]:
        kind = hidden.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype
        with torch.autocast(kind, enabled=False):
            source, table = hidden.to(dtype), cast(words, dtype)
            logits = torch.mm(source, table.t())
            rows = max(1, _BLOCK.get(kind, 1 << 27) // max(1, logits.shape[1]))
            losses, samples = [], []
            for start in range(0, len(targets), rows):
                block = slice(start, min(start + rows, len(targets)))
                draws = None if uniforms is None else uniforms[block]
                loss, drawn = _block(logits[block], targets[block], draws, bias)
                losses.append(loss)
                samples.append(drawn)
            logits[len(targets) :].zero_()
        ctx.save_for_backward(source, table, logits)
        ctx.types = hidden.dtype, words.dtype, bias.dtype
        chosen = torch.cat(samples) if samples else targets
        ctx.mark_non_differentiable(chosen)
        return torch.cat(losses).sum() if losses else hidden.new_zeros(()), chosen

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, ...]:
        source, table, gradient = ctx.saved_tensors
        hidden_type, words_type, bias_type = ctx.types
        scale = grads[0].to(source.dtype)
        with torch.autocast(source.device.type, enabled=False):
            hidden = (gradient @ table).mul_(scale).to(hidden_type)
            words = (gradient.t() @ (source * scale)).to(words_type)
            bias = gradient.sum(0).to(bias_type).mul_(grads[0])
        return hidden, words, bias, None, None, None


def _block(
    logits: Tensor, targets: Tensor, uniforms: Tensor | None, bias: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Losses and samples of some rows; the logits are overwritten by softmax - one-hot."""
    weights = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if bias is not None:
        weights.add_(bias)
    greatest = weights.amax(dim=1, keepdim=True)
    weights.sub_(greatest)
    chosen = weights.gather(1, targets[:, None])
    weights.exp_()
    if uniforms is None:
        samples, totals = targets, weights.sum(dim=1)
    else:
        samples, totals = sample_rows(weights, uniforms)
    losses = torch.log(totals) - chosen.squeeze(1)
    # subtract 1 at the target in float32, so that it is rounded to the logits' type only once
    weights.mul_((1 / totals)[:, None])
    weights.scatter_add_(1, targets[:, None], torch.full_like(chosen, -1))
    if weights.dtype != logits.dtype:
        logits.copy_(weights)
    return losses, samples


def vocabulary_loss(
    hidden: Tensor,
    words: Tensor,
    bias: Tensor,
    targets: Tensor,
    uniforms: Tensor | None = None,
    cast: TableCast | None = None,
) -> tuple[Tensor, Tensor]:
    """Masked-language-modelling loss, and replacements sampled from the same distribution.

    The logits are hidden @ words.T + bias. The product is in autocast's type, everything after it
    in float32 or wider. Samples follow softmax(logits) at temperature 1, and no gradient flows
    through them (Clark et al. 2020, section 2). Inverse transform sampling needs one random
    number a row, where Gumbel-max would need V.

    Args:
        hidden: (N, E), the first M rows at the masked positions; the others are padding rows.
        words: (V, E) token embeddings.
        bias: (V,).
        targets: (M,) int64, the original pieces.
        uniforms: (M,) float64 in [0, 1), one random number per sample; None to draw none.
        cast: memory for `words` in the type of the product, to reuse between steps.

    Returns:
        The sum over M of -log softmax(logits)[target], and (M,) int64 samples (the targets if
        `uniforms` is None).
    """
    cast = cast or TableCast()
    result = _VocabularyLoss.apply(hidden, words, bias, targets, uniforms, cast)
    assert isinstance(result, tuple)
    return result


@torch.no_grad()
def score_and_sample(logits: Tensor, targets: Tensor, uniforms: Tensor) -> tuple[Tensor, Tensor]:
    """As `vocabulary_loss`, from (M, V) logits and without a gradient."""
    losses, samples = _block(logits.clone(), targets, uniforms)
    return losses.sum(), samples


# Sampling from many large categorical distributions at once.


BLOCK = 256


def sample_rows(weights: Tensor, uniforms: Tensor) -> tuple[Tensor, Tensor]:
    """Draw one column of every row with probability proportional to its weight.

    Inverse transform sampling on two levels: a block of columns by the sums of all blocks, then
    a column within that block. This reads the matrix once, for the sums; softmax, Gumbel-max and
    `torch.multinomial` write or draw another M * V numbers. Cumulative sums are in float64, so
    that a draw is exact up to the rounding of the weights and of the block sums. A column of
    weight 0 is never drawn, unless all weights of its row are 0.

    Args:
        weights: (M, V) float32, not negative, finite.
        uniforms: (M,) float64 in [0, 1).

    Returns:
        (M,) int64 columns, and (M,) float32 row sums of the weights.
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
    """The column where each row's cumulative weight exceeds `target` (`uniforms` times the row's
    sum if None), the rest of the target within that column, and the row's sum."""
    cumulative = torch.cumsum(weights, dim=1, dtype=torch.float64)
    total = cumulative[:, -1]
    target = uniforms * total if target is None else target
    # rounding may put the target at or past the end; then take the last column with a weight
    target = torch.minimum(target, torch.nextafter(total, torch.zeros_like(total)))
    column = (cumulative <= target[:, None]).sum(dim=1)
    column = column.clamp_(max=weights.shape[1] - 1)
    before = (column - 1).clamp(min=0)
    passed = cumulative.gather(1, before[:, None]).squeeze(1)
    residual = target - torch.where(column > 0, passed, torch.zeros_like(passed))
    return column, residual, total
