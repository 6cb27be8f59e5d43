"""Encoder layers with 8-bit products, for inference on CPUs.

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
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from spacy_selectra.encoder import layer_function as exact
from spacy_selectra.encoder.activated import POST_OPERATIONS
from spacy_selectra.encoder.cpu_attention import attention_forward
from spacy_selectra.encoder.dropout import DropoutMasks
from spacy_selectra.encoder.packing import PackedLayout

# Rows quantised and multiplied at once: what lies between two products then stays in the cache,
# and a large number somewhere coarsens the scale of few others. Fewer cost calls.
ROWS_AT_ONCE = 512

_LARGEST = 127  # symmetric codes: -128 is not used
_ZERO = 128  # oneDNN's fast products take unsigned activations: codes are shifted by this
_SMALLEST = 1e-20  # keeps the scale of zeros finite

_active: ContextVar[bool] = ContextVar("int8_products", default=False)


@contextmanager
def int8_products() -> Iterator[None]:
    """Within the block, layers on a CPU compute in int8 wherever no gradient is recorded."""
    token = _active.set(True)
    try:
        yield
    finally:
        _active.reset(token)


def takes_int8(layer: nn.Module, hidden: Tensor) -> bool:
    """Whether `int8_layer` is to compute this: in `int8_products`, and not in training."""
    return (
        _active.get()
        and hidden.dtype == torch.float32
        and not layer.training
        and not torch.is_grad_enabled()
    )


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
        """(T, in) float32 to (T, out) in `dtype`, with "gelu", "gelu_new" or "relu" on top."""
        codes, scale = quantised(values)
        name, how = ("none", "") if activation is None else POST_OPERATIONS[activation]
        return torch.ops.onednn.qlinear_pointwise(
            *(codes, scale, _ZERO, self.codes, self.scales, self.zeros, self.bias),
            *(1.0, 0, dtype, name, [], how),
        )

    def add_to(self, residual: Tensor, values: Tensor) -> Tensor:
        """`residual` (T, out) float32 plus the product, written over `residual`."""
        codes, scale = quantised(values)
        return torch.ops.onednn.qlinear_pointwise.binary(
            *(codes, scale, _ZERO, self.codes, self.scales, self.zeros, residual, self.bias),
            *(1.0, 0, torch.float32, 1.0, 0, "sum", 1.0, "none", [], ""),
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


class QuantisedLayer:
    """The four products of a `network.Layer`, as its weights were when this was made."""

    def __init__(self, layer: nn.Module) -> None:
        weights = [weight.detach() for weight in exact.layer_weights(layer)]
        self._written = [_writes(weight) for weight in weights]
        self._sample = [weight[0].clone() for weight in weights]
        self.qkv = QuantisedLinear(weights[0], weights[1])
        self.mix = QuantisedLinear(weights[2], weights[3])
        self.intermediate = QuantisedLinear(weights[6], weights[7])
        self.output = QuantisedLinear(weights[8], weights[9])

    def is_current(self, layer: nn.Module) -> bool:
        """Whether the weights are still the same, as far as a look at them tells."""
        weights = exact.layer_weights(layer)
        # torch counts writes, but not those of its fused optimisers, which write everywhere
        return self._written == [_writes(weight) for weight in weights] and all(
            torch.equal(weight[0], sample)
            for weight, sample in zip(weights, self._sample, strict=True)
        )


def _writes(weight: Tensor) -> tuple[int, int]:
    # tensors made in inference mode cannot be written to outside it, and count nothing
    return weight.data_ptr(), 0 if weight.is_inference() else weight._version


_quantised: WeakKeyDictionary[nn.Module, QuantisedLayer] = WeakKeyDictionary()


def quantised_layer(layer: nn.Module) -> QuantisedLayer:
    """The integer weights of `layer`, made anew whenever its weights have changed.

    Optimisers, loading and writes to whole tensors are noticed. After writing to single rows
    through `.data`, which goes uncounted, call `forget`.
    """
    known = _quantised.get(layer)
    if known is None or not known.is_current(layer):
        known = _quantised[layer] = QuantisedLayer(layer)
    return known


def forget(module: nn.Module) -> None:
    """Drop the integer weights of all layers in `module`."""
    for part in module.modules():
        _quantised.pop(part, None)


def int8_layer(
    layer: nn.Module,
    hidden: Tensor,
    layout: PackedLayout,
    heads: int,
    options: exact.LayerOptions,
) -> Tensor:
    """A `network.Layer` in evaluation mode: (T, H) float32 to (T, H) float32.

    Args:
        layer: where the weights are.
        hidden: (T, H).
        layout: which rows form a sequence.
        heads: number of heads; divides H.
        options: see there; `dtype` is that of attention.
    """
    with torch.autocast("cpu", enabled=False):
        return _forward(layer, hidden, layout, heads, options)


def _forward(
    layer: nn.Module,
    hidden: Tensor,
    layout: PackedLayout,
    heads: int,
    options: exact.LayerOptions,
) -> Tensor:
    products = quantised_layer(layer)
    norms = exact.layer_weights(layer)
    width = hidden.shape[1]
    qkv = hidden.new_empty((len(hidden), 3 * width), dtype=options.dtype)
    for rows, result in zip(_blocks(hidden), _blocks(qkv), strict=True):
        result.copy_(products.qkv(rows, options.dtype))
    context, _ = attention_forward(qkv, layout, heads, 0.0, DropoutMasks({}))
    output = torch.empty_like(hidden)
    for rows, attended, result in zip(
        _blocks(hidden), _blocks(context), _blocks(output), strict=True
    ):
        middle = products.mix.add_to(rows.clone(), attended.float())
        middle = torch.layer_norm(middle, (width,), norms[4], norms[5], options.eps)
        active = products.intermediate(middle, activation=options.activation)
        total = products.output.add_to(middle, active)
        result.copy_(torch.layer_norm(total, (width,), norms[10], norms[11], options.eps))
    return output


def _blocks(values: Tensor) -> tuple[Tensor, ...]:
    return values.split(ROWS_AT_ONCE)


def _products_are_right() -> bool:
    generator = torch.Generator().manual_seed(0)
    values = torch.randint(-127, 128, (64, 256), generator=generator).float()
    weight = torch.randint(-127, 128, (96, 256), generator=generator).float()
    values[0, 0] = weight[:, 0] = _LARGEST  # scales of 1: every product is exact
    linear = QuantisedLinear(weight, torch.ones(96))
    expected = values @ weight.t() + 1
    summed = linear.add_to(torch.ones(64, 96), values)
    return torch.equal(linear(values), expected) and torch.equal(summed, expected + 1)
