"""Products with weights of 8 bits, for inference on CPUs.

The four products with a layer's weights are sums of 8-bit integers, which processors with VNNI
instructions compute about twice as fast as those of bfloat16. Attention, LayerNorm, softmax and
the residual stream stay floating-point.

Weights are quantised once, symmetrically, with a scale for each output channel; activations in
each forward pass, symmetrically, with one scale for a block of rows (Wu et al. 2020, "Integer
quantization for deep learning inference", sections 3.1 and 3.2). Float weights stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

import torch
from torch import Tensor

from spacy_selectra.encoder.activated import POST_OPERATIONS

_LARGEST = 127  # symmetric codes: -128 is not used
_ZERO = 128  # oneDNN's fast products take unsigned activations: codes are shifted by this
_SMALLEST = 1e-20  # keeps the scale of zeros finite

_active: ContextVar[bool] = ContextVar("int8_products", default=False)


@contextmanager
def int8_products() -> Iterator[None]:
    """Within the block, layers on a CPU that record no gradient compute in int8."""
    token = _active.set(True)
    try:
        yield
    finally:
        _active.reset(token)


def int8_is_on() -> bool:
    """Whether this is within `int8_products`."""
    return _active.get()


@cache
def why_not_int8() -> str | None:
    """Why this processor or this torch has no fast int8 products; None if they have."""
    supported = getattr(torch.cpu, "_is_vnni_supported", None)  # torch before 2.6 does not tell
    if not torch.backends.mkldnn.is_available():
        return "this torch was built without oneDNN"
    if supported is not None and not supported():
        return "this processor has no VNNI instructions"
    try:
        return None if _products_are_right() else "int8 products are inexact on this machine"
    except (AttributeError, RuntimeError):
        return f"torch {torch.__version__} has no int8 products for this processor"


class QuantisedLinear:
    """x -> x W^T + b with integer products.

    Args:
        weight: (out, in) float32.
        bias: (out,) float32.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        largest = weight.abs().amax(dim=1)
        self.scales = largest.clamp_min(_SMALLEST).div_(_LARGEST)
        codes = torch.round(weight / self.scales[:, None]).to(torch.int8)
        self.codes: Tensor = torch.ops.onednn.qlinear_prepack(codes, None)
        self.zeros = torch.zeros(len(weight), dtype=torch.int64)
        self.bias = bias.clone()

    def __call__(
        self, values: Tensor, dtype: torch.dtype = torch.float32, activation: str | None = None
    ) -> Tensor:
        """(T, in) to (T, out) in `dtype`, with "gelu", "gelu_new" or "relu" on top."""
        codes, scale = quantised(values.float())
        name, how = ("none", "") if activation is None else POST_OPERATIONS[activation]
        return torch.ops.onednn.qlinear_pointwise(
            *(codes, scale, _ZERO, self.codes, self.scales, self.zeros, self.bias),
            *(1.0, 0, dtype, name, [], how),
        )

    def add_to(self, residual: Tensor, values: Tensor) -> Tensor:
        """`residual` (T, out) float32 plus the product of (T, in)."""
        codes, scale = quantised(values.float())
        # the operator writes over what it adds to
        return torch.ops.onednn.qlinear_pointwise.binary(
            *(codes, scale, _ZERO, self.codes, self.scales, self.zeros, residual.clone()),
            *(self.bias, 1.0, 0, torch.float32, 1.0, 0, "sum", 1.0, "none", [], ""),
        )


def quantised(values: Tensor) -> tuple[Tensor, float]:
    """Codes and scale of float32 values: values = (codes - 128) * scale, up to rounding.

    Returns:
        uint8 codes in [1, 255] of the same shape, and the scale, max|values| / 127.
    """
    low, high = torch.aminmax(values)
    scale = max(-float(low), float(high), _SMALLEST) / _LARGEST
    # by way of int8: torch's conversion to uint8 takes several times as long
    codes = torch.mul(values, 1 / scale).round_().to(torch.int8)
    return codes.view(torch.uint8).bitwise_xor_(_ZERO), scale


def _products_are_right() -> bool:
    generator = torch.Generator().manual_seed(0)
    values = torch.randint(-127, 128, (64, 256), generator=generator).float()
    weight = torch.randint(-127, 128, (96, 256), generator=generator).float()
    values[0, 0] = weight[:, 0] = _LARGEST  # scales of 1: every product is exact
    linear = QuantisedLinear(weight, torch.ones(96))
    expected = values @ weight.t() + 1
    summed = linear.add_to(torch.ones(64, 96), values)
    return torch.equal(linear(values), expected) and torch.equal(summed, expected + 1)
