"""Fast dropout on CPUs, with masks from raw random bits.

Most of the cost of dropout on a CPU is a random float, a comparison and a product for every
element. Here 16 random bits per element are enough. A comparison turns them into all ones or all
zeros, and a bitwise "and" applies this mask to floats of any type.
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
    """Masks for several tensors from one array of random bits.

    The bits are from SFC64, with a seed from torch's global generator: one draw, for any number of
    masks. The probability is rounded to a multiple of 2^-16, and the scale is exact for the rounded
    probability.

    Args:
        counts: number of elements for each probability.
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
        """Factor of kept elements that preserves the mean."""
        return _LEVELS / (_LEVELS - _dropped(probability))


def apply_mask(
    values: Tensor, mask: Tensor | None, scale: float = 1.0, copy: bool = False
) -> Tensor:
    """Zero the dropped elements and scale the others, in place unless `copy`.

    Args:
        values: contiguous floats of any type.
        mask: int16 of the same shape from `DropoutMasks.take`; None drops nothing.
        scale: factor.
        copy: do not change `values`.
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
    """Zero each element with `probability` and scale the others to preserve the mean.

    On CPUs by `DropoutMasks`, elsewhere by `torch.nn.functional.dropout`.
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
