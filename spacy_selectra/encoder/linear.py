"""Products with a layer's weights where nobody asks for a gradient, on CPUs.

Each kind computes x -> x W^T + b from whatever form of W the processor likes best, with an
activation or a residual added while results are in registers.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Protocol

import torch
from torch import Tensor

from spacy_selectra.encoder.activated import POST_OPERATIONS, activated

_active: ContextVar[bool] = ContextVar("laid_out_weights", default=False)

# oneDNN lays weights out for a number of rows; this layout serves from a handful to thousands.
_ROWS_EXPECTED = 512


class Linear(Protocol):
    """A product that does not record gradients."""

    def __call__(self, values: Tensor, dtype: torch.dtype, activation: str | None = None) -> Tensor:
        """(T, in) to (T, out) in `dtype`, with "gelu", "gelu_new" or "relu" on top."""
        ...

    def add_to(self, residual: Tensor, values: Tensor) -> Tensor:
        """`residual` (T, out) plus the product of (T, in), in the type of `residual`."""
        ...


class PlainLinear:
    """The weights as they are, through torch's own product.

    Args:
        weight: (out, in).
        bias: (out,).
        dtype: type of the product.
    """

    def __init__(self, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> None:
        self.weight, self.bias, self.dtype = weight.to(dtype), bias.to(dtype), dtype

    def __call__(self, values: Tensor, dtype: torch.dtype, activation: str | None = None) -> Tensor:
        """See `Linear`."""
        product = torch.addmm(self.bias, values.to(self.dtype), self.weight.t())
        return (product if activation is None else activated(product, activation)).to(dtype)

    def add_to(self, residual: Tensor, values: Tensor) -> Tensor:
        """See `Linear`."""
        return torch.add(residual, self(values, residual.dtype))


class OneDnnLinear:
    """Weights converted and laid out once, multiplied by oneDNN.

    Args:
        weight: (out, in).
        bias: (out,).
        dtype: type of the product, one for which `takes_onednn`.
    """

    def __init__(self, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> None:
        converted = weight.detach().to(dtype).contiguous()
        self.weight: Tensor = torch.ops.mkldnn._reorder_linear_weight(converted, _ROWS_EXPECTED)
        self.bias, self.dtype = bias.detach().to(dtype, copy=True), dtype

    def __call__(self, values: Tensor, dtype: torch.dtype, activation: str | None = None) -> Tensor:
        """See `Linear`."""
        name, how = ("none", "") if activation is None else POST_OPERATIONS[activation]
        product = torch.ops.mkldnn._linear_pointwise(
            values.to(self.dtype), self.weight, self.bias, name, [], how
        )
        return product.to(dtype)

    def add_to(self, residual: Tensor, values: Tensor) -> Tensor:
        """See `Linear`."""
        if residual.dtype != self.dtype:
            # converting first: additions of mixed types are three times as slow
            return self(values, residual.dtype).add_(residual)
        return torch.ops.mkldnn._linear_pointwise.binary(
            values.to(self.dtype), residual, self.weight, self.bias, "add"
        )


@contextmanager
def laid_out_weights() -> Iterator[None]:
    """Within the block, layers that record no gradient multiply float32 by `OneDnnLinear`, too."""
    token = _active.set(True)
    try:
        yield
    finally:
        _active.reset(token)


def laid_out_weights_are_on() -> bool:
    """Whether this is within `laid_out_weights`."""
    return _active.get()


def takes_onednn(dtype: torch.dtype) -> bool:
    """Whether `OneDnnLinear` multiplies this type, in the precision now set."""
    if not _has_operators():
        return False
    if dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return dtype == torch.float32 and laid_out_weights_are_on()


@cache
def _has_operators() -> bool:
    names = ("_linear_pointwise", "_reorder_linear_weight", "_is_mkldnn_bf16_supported")
    return (
        platform.machine() in ("x86_64", "AMD64")  # float32 is rounded elsewhere
        and torch.backends.mkldnn.is_available()
        and all(hasattr(torch.ops.mkldnn, name) for name in names)
    )
