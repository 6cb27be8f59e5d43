"""Dropout whose masks are made from raw random bits.

Drawing a float for every element, comparing it and multiplying by the outcome dominates the cost
of dropout on a CPU. Sixteen random bits decide as well, and a comparison turns them into patterns
of all ones or all zeros, which a bitwise "and" applies to numbers of any type.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

_LEVELS = 1 << 16
_INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class DropoutMasks:
    """Masks for several tensors from one stretch of random bits.

    The bits come from SFC64, seeded from torch's global generator: one draw of that generator,
    however many masks. The probability is rounded to a multiple of 2^-16, and the scale is exact
    for the rounded one.

    Args:
        counts: number of elements needed for each probability.
    """

    def __init__(self, counts: Mapping[float, int]) -> None:
        self._masks: dict[float, Tensor] = {}
        self._taken: dict[float, int] = {}
        wanted = {p: count for p, count in counts.items() if _dropped(p) and count}
        if not wanted:
            return
        seed = int(torch.randint(1 << 62, (1,)).item())
        source = np.random.SFC64(seed)
        for probability, count in wanted.items():
            raw = source.random_raw((count + 3) // 4).view(np.int16)
            mask = torch.from_numpy(raw)[:count]
            lowest = _dropped(probability) - _LEVELS // 2
            self._masks[probability] = torch.ge(mask, lowest, out=mask).neg_()
            self._taken[probability] = 0

    def take(self, probability: float, shape: Sequence[int]) -> Tensor | None:
        """The next mask, int16 of `shape`: -1 for kept, 0 for dropped; None if all are kept."""
        mask = self._masks.get(probability)
        if mask is None:
            return None
        start = self._taken[probability]
        self._taken[probability] = end = start + math.prod(shape)
        return mask[start:end].view(*shape)

    @staticmethod
    def scale(probability: float) -> float:
        """What kept elements are multiplied with, so that the mean stays."""
        return _LEVELS / (_LEVELS - _dropped(probability))


def apply_mask(
    values: Tensor, mask: Tensor | None, scale: float = 1.0, copy: bool = False
) -> Tensor:
    """Zero what a mask drops and multiply the rest, in place unless `copy`.

    Args:
        values: contiguous floats of any type.
        mask: int16 of the same shape from `DropoutMasks.take`, or None for nothing.
        scale: factor.
        copy: leave `values` as they are.
    """
    if mask is None:
        return values
    integers = _INTEGERS[values.element_size()]
    mask = mask.to(integers)
    if copy:
        values = torch.bitwise_and(values.view(integers), mask).view(values.dtype)
    else:
        values.view(integers).bitwise_and_(mask)
    return values if scale == 1.0 else values.mul_(scale)


class _MaskedDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, probability: float) -> Tensor:
        mask = DropoutMasks({probability: values.numel()}).take(probability, values.shape)
        assert mask is not None
        ctx.save_for_backward(mask)
        ctx.scale = DropoutMasks.scale(probability)
        return apply_mask(values.contiguous(), mask, ctx.scale, copy=True)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (mask,) = ctx.saved_tensors
        return apply_mask(grads[0].contiguous(), mask, ctx.scale, copy=True), None


def dropout(values: Tensor, probability: float) -> Tensor:
    """Zero each element with `probability` and scale the rest so that the mean stays.

    On the CPU see `DropoutMasks`; elsewhere this is `torch.nn.functional.dropout`.
    """
    if values.device.type != "cpu":
        return F.dropout(values, probability, training=True)
    if not _dropped(probability) or not values.numel():
        return values
    result = _MaskedDropout.apply(values, probability)
    assert isinstance(result, Tensor)
    return result


def _dropped(probability: float) -> int:
    return round(probability * _LEVELS)
