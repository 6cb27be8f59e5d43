"""Inference with an encoder layer on CPUs, without gradients.

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


# A cache of a layer's weights in the layout that is fastest for inference.
# Rows per product, to limit the size of intermediate tensors. With int8 there are fewer, so that
# these stay in the cache and an outlier coarsens the scale of fewer values.
FLOAT_ROWS = 2048
INT8_ROWS = 512


class LayerProducts:
    """The four products of an `electra.Layer`, with a copy of its weights.

    Args:
        layer: the layer with its weights.
        make: makes a product from (out, in) weight and (out,) bias.
        rows: rows per product.
        inner: type of the values between `intermediate` and `output`.
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
    """Cached products of a layer by kind, with version counters and first rows of its weights."""

    def __init__(self, weights: list[Tensor]) -> None:
        self.kinds: dict[str, LayerProducts] = {}
        self._written = [_writes(weight) for weight in weights]
        # views of the first rows, which stay valid as long as the storage
        self._views = [weight.detach()[:1].reshape(-1) for weight in weights]
        self._sample = torch.cat(self._views)

    def is_current(self, weights: list[Tensor]) -> bool:
        """Whether the weights are unchanged, by version counter and first rows."""
        # torch's version counter misses fused optimisers, but these change all rows
        return self._written == [_writes(weight) for weight in weights] and torch.equal(
            torch.cat(self._views), self._sample
        )


def layer_products(layer: Layer, dtype: torch.dtype, int8: bool) -> LayerProducts:
    """The products of `layer` in the precision that is set.

    The cache is renewed when weights have changed: by optimisers, loading, training mode and writes
    to whole tensors. Writes to single rows through `.data` are not counted; call `forget` after
    these.

    Args:
        layer: an `electra.Layer` on a CPU.
        dtype: type of its products.
        int8: use 8-bit weights.
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
    """Delete the cached weights of all layers in `module`."""
    for part in module.modules():
        _prepared.pop(part, None)


def _writes(weight: Tensor) -> tuple[int, int]:
    # tensors created in inference mode have no version counter and cannot be changed outside of it
    return weight.data_ptr(), 0 if weight.is_inference() else weight._version


_prepared: WeakKeyDictionary[nn.Module, _Prepared] = WeakKeyDictionary()
