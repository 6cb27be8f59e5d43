"""Products on CPUs: products with a layer's weights without gradients, and rounding of sizes.

Each class computes x -> x W^T + b with W in the fastest layout for the processor. Activation or
residual are fused into the product.
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
from torch.nn import functional as F

_laid_out: ContextVar[bool] = ContextVar("laid_out_weights", default=False)

# oneDNN chooses the layout of weights for a number of rows; that for this number is good from a few
# to thousands.
_ROWS_EXPECTED = 512


class Linear(Protocol):
    """A product that does not record gradients."""

    def __call__(self, values: Tensor, dtype: torch.dtype, activation: str | None = None) -> Tensor:
        """(T, in) to (T, out) in `dtype`, followed by "gelu", "gelu_new" or "relu"."""
        ...

    def add_to(self, residual: Tensor, values: Tensor) -> Tensor:
        """`residual` (T, out) plus the product of (T, in), in the type of `residual`."""
        ...


class PlainLinear:
    """Torch's own product, with unchanged weights.

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
    """oneDNN's product, with weights converted to its layout once.

    Args:
        weight: (out, in).
        bias: (out,).
        dtype: type of the product, for which `takes_onednn` is true.
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
            # converted first, because additions of mixed types take three times as long
            return self(values, residual.dtype).add_(residual)
        return torch.ops.mkldnn._linear_pointwise.binary(
            values.to(self.dtype), residual, self.weight, self.bias, "add"
        )


@contextmanager
def laid_out_weights() -> Iterator[None]:
    """Within the block, layers without gradients also compute float32 with `OneDnnLinear`."""
    token = _laid_out.set(True)
    try:
        yield
    finally:
        _laid_out.reset(token)


def laid_out_weights_are_on() -> bool:
    """Whether `laid_out_weights` is active."""
    return _laid_out.get()


def takes_onednn(dtype: torch.dtype) -> bool:
    """Whether `OneDnnLinear` supports this type in the precision that is set."""
    if not _has_operators():
        return False
    if dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return dtype == torch.float32 and laid_out_weights_are_on()


@cache
def _has_operators() -> bool:
    names = ("_linear_pointwise", "_reorder_linear_weight", "_is_mkldnn_bf16_supported")
    return (
        platform.machine() in ("x86_64", "AMD64")  # on others float32 is rounded
        and torch.backends.mkldnn.is_available()
        and all(hasattr(torch.ops.mkldnn, name) for name in names)
    )


# Activation functions, separate and fused.
# Name and algorithm of oneDNN's fused operations.
POST_OPERATIONS = {"gelu": ("gelu", "none"), "gelu_new": ("gelu", "tanh"), "relu": ("relu", "")}


def activated(values: Tensor, name: str) -> Tensor:
    """Apply "gelu", "gelu_new" (Hendrycks and Gimpel 2016, by tanh) or "relu"."""
    if name == "relu":
        return F.relu(values)
    return F.gelu(values, approximate="tanh" if name == "gelu_new" else "none")


# Products with 8-bit weights, for inference on CPUs.
#
# The four products with a layer's weights are in 8-bit integers, which processors with VNNI
# instructions compute about twice as fast as bfloat16. Attention, LayerNorm, softmax and the
# residual stream are floating-point.
#
# Quantisation is symmetric: weights once, with a scale per output channel; activations in each
# forward pass, with a scale per block of rows (Wu et al. 2020, "Integer quantization for deep
# learning inference", sections 3.1 and 3.2). Float weights are kept.
_LARGEST = 127  # symmetric: -128 is not used
_ZERO = 128  # offset of activations, which must be unsigned for oneDNN's fast products
_SMALLEST = 1e-20  # for the scale of zeros

_in_integers: ContextVar[bool] = ContextVar("int8_products", default=False)


@contextmanager
def int8_products() -> Iterator[None]:
    """Within the block, layers on a CPU without gradients compute in int8."""
    token = _in_integers.set(True)
    try:
        yield
    finally:
        _in_integers.reset(token)


def int8_is_on() -> bool:
    """Whether `int8_products` is active."""
    return _in_integers.get()


@cache
def why_not_int8() -> str | None:
    """Why there are no fast int8 products on this processor or in this torch; None if there are."""
    supported = getattr(torch.cpu, "_is_vnni_supported", None)  # since torch 2.6
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
        """(T, in) to (T, out) in `dtype`, followed by "gelu", "gelu_new" or "relu"."""
        codes, scale = quantised(values.float())
        name, how = ("none", "") if activation is None else POST_OPERATIONS[activation]
        return torch.ops.onednn.qlinear_pointwise(
            *(codes, scale, _ZERO, self.codes, self.scales, self.zeros, self.bias),
            *(1.0, 0, dtype, name, [], how),
        )

    def add_to(self, residual: Tensor, values: Tensor) -> Tensor:
        """`residual` (T, out) float32 plus the product of (T, in)."""
        codes, scale = quantised(values.float())
        # the operator overwrites its residual
        return torch.ops.onednn.qlinear_pointwise.binary(
            *(codes, scale, _ZERO, self.codes, self.scales, self.zeros, residual.clone()),
            *(self.bias, 1.0, 0, torch.float32, 1.0, 0, "sum", 1.0, "none", [], ""),
        )


def quantised(values: Tensor) -> tuple[Tensor, float]:
    """Quantise float32 values: values = (codes - 128) * scale, up to rounding.

    Returns:
        uint8 codes in [1, 255] of the same shape, and the scale, max|values| / 127.
    """
    low, high = torch.aminmax(values)
    scale = max(-float(low), float(high), _SMALLEST) / _LARGEST
    # via int8, because torch's conversion to uint8 takes several times as long
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


# Rounding of sizes.
#
# oneDNN generates code for every new shape of a product, which takes milliseconds, and packed
# batches hardly ever have the same number of pieces. So sizes are rounded up to a few: padding rows
# cost little, and code is generated once.


_ROWS = 16  # of an AMX tile
_SHORTEST = 8  # pieces of the smallest attention rectangle


def few_sizes_pay() -> bool:
    """Whether oneDNN computes products on this CPU in the precision that is set."""
    if torch.compiler.is_compiling():  # compiled code handles any size
        return False
    laid_out = laid_out_weights_are_on() and not torch.is_grad_enabled()
    backend = getattr(torch.backends.mkldnn, "matmul", None)  # since torch 2.9
    by_onednn = getattr(backend, "fp32_precision", "") == "bf16"
    return torch.is_autocast_enabled("cpu") or int8_is_on() or laid_out or by_onednn


def rounded_rows(rows: int) -> int:
    """Round up a number of rows.

    Steps are 16 up to 128 rows, 32 up to 512, 80 up to 1024 (also a size) and 64 up to 2048; above,
    a 32nd of the next power of two, so that less than a sixteenth is padding. The remainder after
    blocks of 2048 is a multiple of 128, so the last block has few sizes, too.
    """
    if rows <= 128:
        step = _ROWS
    elif rows <= 512:
        step = 32
    elif rows <= 1024:
        step = 80  # with steps of 64 the batches of a small pretraining would have two more sizes
    else:
        step = max(64, _power_of_two(rows) // 32)
    rounded = -(-rows // step) * step
    return min(rounded, 1024) if rows <= 1024 else rounded


def rounded_length(pieces: int) -> int:
    """Round up the length of an attention rectangle: steps of 8 up to 64 pieces, above that an
    eighth of the next power of two."""
    step = max(_SHORTEST, _power_of_two(pieces) // 8)
    return -(-pieces // step) * step


def rounded_count(sequences: int) -> int:
    """Round up the number of sequences in an attention product to a power of two."""
    return _power_of_two(sequences)


def pad_rows(values: Tensor) -> Tensor:
    """(N, ...) padded with zeros to a rounded number of rows, if `few_sizes_pay`."""
    return pad_for_activation(values) if few_sizes_pay() else values


def pad_for_activation(values: Tensor) -> Tensor:
    """(N, ...) padded with zeros to a rounded number of rows, on CPUs, where GELU is oneDNN's in
    every precision."""
    if values.device.type != "cpu" or torch.compiler.is_compiling():
        return values
    missing = rounded_rows(len(values)) - len(values)
    # pad counts from the last dimension
    return F.pad(values, [0, 0] * (values.ndim - 1) + [0, missing]) if missing else values


def _power_of_two(number: int) -> int:
    """The smallest power of two that is at least `number`."""
    return 1 << max(0, number - 1).bit_length()
