"""Dropout whose mask is made from raw random bits.

Drawing a float for every element dominates the cost of dropout on a CPU. Sixteen
random bits decide as well, and one draw of 64 bits serves four elements.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_LEVELS = 1 << 16


class _BitDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, threshold: int) -> Tensor:
        count = values.numel()
        bits = torch.empty((count + 3) // 4, dtype=torch.int64)
        bits.random_(-(1 << 63), None)
        keep = bits.view(torch.int16)[:count].view(values.shape) >= threshold - _LEVELS // 2
        scale = _LEVELS / (_LEVELS - threshold)
        ctx.save_for_backward(keep)
        ctx.scale = scale
        return (values * keep).mul_(scale)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (keep,) = ctx.saved_tensors
        return (grads[0] * keep).mul_(ctx.scale), None


def dropout(values: Tensor, probability: float, training: bool) -> Tensor:
    """Zero each element with `probability` and scale the rest so that the mean stays.

    On the CPU the probability is rounded to a multiple of 2^-16 and the scale is exact for
    the rounded one; random numbers come from torch's global generator. Elsewhere this is
    `torch.nn.functional.dropout`.
    """
    if not training or probability <= 0:
        return values
    if values.device.type != "cpu":
        return F.dropout(values, probability, training=True)
    result = _BitDropout.apply(values, round(probability * _LEVELS))
    assert isinstance(result, Tensor)
    return result


class Dropout(nn.Module):
    """`dropout` as a module."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, values: Tensor) -> Tensor:
        """Any shape in, the same shape out."""
        return dropout(values, self.probability, self.training)

    def extra_repr(self) -> str:
        """Shown by `print(module)`."""
        return f"p={self.probability}"
