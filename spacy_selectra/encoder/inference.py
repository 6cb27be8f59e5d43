"""An encoder layer where nobody asks for a gradient, on CPUs.

The mathematics is that of `network.Layer`. Products come from weights prepared once, a few
thousand rows at a time, and nothing is kept for a backward pass.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from spacy_selectra.encoder.cpu_attention import attention_inference
from spacy_selectra.encoder.int8 import int8_is_on
from spacy_selectra.encoder.layer_function import LayerOptions
from spacy_selectra.encoder.packing import PackedLayout
from spacy_selectra.encoder.prepared import LayerProducts, layer_products


def inference_layer(
    layer: nn.Module, hidden: Tensor, layout: PackedLayout, heads: int, options: LayerOptions
) -> Tensor:
    """A `network.Layer` in evaluation mode, without a gradient.

    Args:
        layer: where the weights are.
        hidden: (R, H), the rows of `layout`.
        layout: which rows form a sequence.
        heads: number of heads; divides H.
        options: see there; dropout is not applied.

    Returns:
        (R, H) in the type of `hidden`.
    """
    with torch.autocast("cpu", enabled=False):
        int8 = int8_is_on() and hidden.dtype == torch.float32
        products = layer_products(layer, options.dtype, int8)
        qkv = _queries_keys_values(products, hidden, options.dtype)
        context = attention_inference(qkv, layout, heads)
        del qkv
        return _after_attention(layer, products, hidden, context, options)


def _queries_keys_values(products: LayerProducts, hidden: Tensor, dtype: torch.dtype) -> Tensor:
    if len(hidden) <= products.rows:
        return products.qkv(hidden, dtype)
    result = hidden.new_empty((len(hidden), 3 * hidden.shape[1]), dtype=dtype)
    blocks = zip(hidden.split(products.rows), result.split(products.rows), strict=True)
    for rows, part in blocks:
        part.copy_(products.qkv(rows, dtype))
    return result


def _after_attention(
    layer: Any,
    products: LayerProducts,
    hidden: Tensor,
    context: Tensor,
    options: LayerOptions,
) -> Tensor:
    def block(rows: Tensor, attended: Tensor) -> Tensor:
        middle = layer.attention_norm(products.mix.add_to(rows, attended))
        active = products.intermediate(middle, products.inner, options.activation)
        return layer.output_norm(products.output.add_to(middle, active))

    if len(hidden) <= products.rows:
        return block(hidden, context)
    result = torch.empty_like(hidden)
    parts = (values.split(products.rows) for values in (hidden, context, result))
    for rows, attended, part in zip(*parts, strict=True):
        part.copy_(block(rows, attended))
    return result
