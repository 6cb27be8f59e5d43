"""An encoder layer where nobody asks for a gradient, on CPUs.

The mathematics is that of `electra.Layer`. Products come from weights prepared once, a few
thousand rows at a time, and nothing is kept for a backward pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from spacy_selectra.encoder.cpu.attention import attention_inference
from spacy_selectra.encoder.cpu.linear import (
    Linear,
    OneDnnLinear,
    PlainLinear,
    QuantisedLinear,
    int8_is_on,
    takes_onednn,
)
from spacy_selectra.encoder.layout import PackedLayout

if TYPE_CHECKING:
    from spacy_selectra.encoder.electra import Layer


def inference_layer(
    layer: Layer, hidden: Tensor, layout: PackedLayout, dtype: torch.dtype
) -> Tensor:
    """A `electra.Layer` in evaluation mode, without a gradient.

    Args:
        layer: where the weights are.
        hidden: (R, H), the rows of `layout`.
        layout: which rows form a sequence.
        dtype: type of the products.

    Returns:
        (R, H) in the type of `hidden`.
    """
    with torch.autocast("cpu", enabled=False):
        int8 = int8_is_on() and hidden.dtype == torch.float32
        products = layer_products(layer, dtype, int8)
        qkv = _queries_keys_values(products, hidden, dtype)
        context = attention_inference(qkv, layout, layer.heads)
        del qkv
        return _after_attention(layer, products, hidden, context)


def _queries_keys_values(products: LayerProducts, hidden: Tensor, dtype: torch.dtype) -> Tensor:
    if len(hidden) <= products.rows:
        return products.qkv(hidden, dtype)
    result = hidden.new_empty((len(hidden), 3 * hidden.shape[1]), dtype=dtype)
    blocks = zip(hidden.split(products.rows), result.split(products.rows), strict=True)
    for rows, part in blocks:
        part.copy_(products.qkv(rows, dtype))
    return result


def _after_attention(
    layer: Layer, products: LayerProducts, hidden: Tensor, context: Tensor
) -> Tensor:
    def block(rows: Tensor, attended: Tensor) -> Tensor:
        middle = layer.attention_norm(products.mix.add_to(rows, attended))
        active = products.intermediate(middle, products.inner, layer.activation_name)
        return layer.output_norm(products.output.add_to(middle, active))

    if len(hidden) <= products.rows:
        return block(hidden, context)
    result = torch.empty_like(hidden)
    parts = (values.split(products.rows) for values in (hidden, context, result))
    for rows, attended, part in zip(*parts, strict=True):
        part.copy_(block(rows, attended))
    return result


# A layer's weights in the form inference multiplies fastest with, made once and never stale.


# Rows multiplied at once: the widest tensor of a layer stays small for any number of pieces.
# Int8 takes fewer, so that what lies between two products stays in the cache and a large number
# somewhere coarsens the scale of few others.
FLOAT_ROWS = 2048
INT8_ROWS = 512


class LayerProducts:
    """The four products of a `electra.Layer`, as its weights were when this was made.

    Args:
        layer: where the weights are.
        make: builds a product from (out, in) weight and (out,) bias.
        rows: how many rows to multiply at once.
        inner: the type in which `output` takes what `intermediate` gives.
    """

    def __init__(
        self,
        layer: Layer,
        make: Callable[[Tensor, Tensor], Linear],
        rows: int,
        inner: torch.dtype,
    ) -> None:
        weights = [weight.detach() for weight in layer.weights()]
        self.rows, self.inner = rows, inner
        self.qkv = make(weights[0], weights[1])
        self.mix = make(weights[2], weights[3])
        self.intermediate = make(weights[6], weights[7])
        self.output = make(weights[8], weights[9])


class _Prepared:
    """Products of a layer by kind, and what its weights looked like when they were made."""

    def __init__(self, weights: list[Tensor]) -> None:
        self.kinds: dict[str, LayerProducts] = {}
        self._written = [_writes(weight) for weight in weights]
        # the first row of each, seen through views that stay good as long as the storage does
        self._views = [weight.detach()[:1].reshape(-1) for weight in weights]
        self._sample = torch.cat(self._views)

    def is_current(self, weights: list[Tensor]) -> bool:
        """Whether the weights are still the same, as far as a look at them tells."""
        # torch counts writes, but not those of its fused optimisers, which write everywhere
        return self._written == [_writes(weight) for weight in weights] and torch.equal(
            torch.cat(self._views), self._sample
        )


def layer_products(layer: Layer, dtype: torch.dtype, int8: bool) -> LayerProducts:
    """The products of `layer` in the precision now set.

    Prepared weights are made anew whenever the layer's have changed: optimisers, loading,
    training mode and writes to whole tensors are noticed. After writing to single rows through
    `.data`, which goes uncounted, call `forget`.

    Args:
        layer: a `electra.Layer` on a CPU.
        dtype: type of its products.
        int8: with weights of 8 bits.
    """
    if not int8 and not takes_onednn(dtype):
        return LayerProducts(layer, lambda w, b: PlainLinear(w, b, dtype), FLOAT_ROWS, dtype)
    weights = layer.weights()
    known = _prepared.get(layer)
    if known is None or not known.is_current(weights):
        known = _prepared[layer] = _Prepared(weights)
    kind = "int8" if int8 else str(dtype)
    products = known.kinds.get(kind)
    if products is None:
        if int8:
            products = LayerProducts(layer, QuantisedLinear, INT8_ROWS, torch.float32)
        else:
            products = LayerProducts(
                layer, lambda w, b: OneDnnLinear(w, b, dtype), FLOAT_ROWS, dtype
            )
        known.kinds[kind] = products
    return products


def forget(module: nn.Module) -> None:
    """Drop what was prepared for all layers in `module`."""
    for part in module.modules():
        _prepared.pop(part, None)


def _writes(weight: Tensor) -> tuple[int, int]:
    # tensors made in inference mode cannot be written to outside it, and count nothing
    return weight.data_ptr(), 0 if weight.is_inference() else weight._version


_prepared: WeakKeyDictionary[nn.Module, _Prepared] = WeakKeyDictionary()
