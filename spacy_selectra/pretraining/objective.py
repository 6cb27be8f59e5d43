"""The two losses of replaced-token detection (Clark et al. 2020, section 2)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from spacy_selectra.pretraining.sampling import sample_rows


class _GeneratorLoss(torch.autograd.Function):
    """Cross-entropy and samples from one exponential of the logits."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, targets: Tensor, uniforms: Tensor
    ) -> tuple[Tensor, Tensor]:
        greatest = logits.amax(dim=1, keepdim=True).float()
        chosen = logits.gather(1, targets[:, None]).float()
        weights = logits.to(torch.float32, copy=True).sub_(greatest).exp_()
        samples, totals = sample_rows(weights, uniforms)
        losses = torch.log(totals) + (greatest - chosen).squeeze(1)
        ctx.save_for_backward(weights, totals, targets)
        ctx.logits_dtype = logits.dtype
        ctx.mark_non_differentiable(samples)
        return losses.sum(), samples

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, None, None]:
        weights, totals, targets = ctx.saved_tensors
        scale = (grads[0] / totals)[:, None]
        result = torch.empty_like(weights, dtype=ctx.logits_dtype)
        torch.mul(weights, scale, out=result)
        # at the target: softmax - 1, rounded to the dtype of the logits only once
        at_target = weights.gather(1, targets[:, None]) * scale - grads[0]
        result.scatter_(1, targets[:, None], at_target.to(result.dtype))
        return result, None, None


def generator_loss(logits: Tensor, targets: Tensor, uniforms: Tensor) -> tuple[Tensor, Tensor]:
    """Masked-language-model loss, and replacements drawn from the same distribution.

    Samples follow softmax(logits) at temperature 1, computed in float32 whatever the dtype
    of the logits; no gradient flows through them.

    Args:
        logits: (M, V), at the masked positions.
        targets: (M,) int64, the original pieces.
        uniforms: (M,) float64 in [0, 1), one random number a draw.

    Returns:
        The sum over M of -log softmax(logits)[target] as a float32 scalar, and (M,) int64 samples.
    """
    result = _GeneratorLoss.apply(logits, targets, uniforms)
    assert isinstance(result, tuple)
    return result


def masked_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Sum of the cross-entropy of logits (M, V) and pieces (M,) int64; float32 scalar."""
    return F.cross_entropy(logits.float(), targets, reduction="sum")


def replace(input_ids: Tensor, positions: Tensor, samples: Tensor) -> tuple[Tensor, Tensor]:
    """Put the generator's samples (M,) into the text (T,).

    Returns:
        The corrupted ids (T,), and (T,) bool labels: which pieces differ from the original.
        A sample that equals it counts as original (Clark et al. 2020, section 2).
    """
    corrupted = input_ids.index_copy(0, positions, samples)
    return corrupted, corrupted != input_ids


def discriminator_loss(logits: Tensor, replaced: Tensor) -> Tensor:
    """Sum over all T pieces, [CLS] and [SEP] among them as in the original code, of the binary
    cross-entropy between logits (T,) and labels (T,) bool; float32 scalar."""
    return F.binary_cross_entropy_with_logits(
        logits.float(), replaced.to(torch.float32), reduction="sum"
    )
