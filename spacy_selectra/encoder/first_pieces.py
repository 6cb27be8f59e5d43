"""Attention of each sequence's first piece alone, all that a sequence classifier reads."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from spacy_selectra.encoder.packing import PackedLayout


def first_piece_attention(
    queries: Tensor, keys_values: Tensor, layout: PackedLayout, heads: int
) -> Tensor:
    """Scaled dot-product attention (Vaswani et al. 2017, section 3.2.1) of [CLS] alone.

    What `packed_attention` computes for the rows `layout.first`, without dropout, on any device.

    Args:
        queries: (B, H), one of each sequence, in their order.
        keys_values: (R, 2 * H) keys and values side by side.
        layout: which rows form a sequence.
        heads: number of heads; divides H.

    Returns:
        (B, H), in the dtype of `keys_values`.
    """
    if layout.map is not None:
        keys_values = layout.map.spread(keys_values)
        queries = queries.index_select(0, layout.map.sequences)
    size = queries.shape[1] // heads
    mixed: list[Tensor] = []
    begin = 0
    for group, part in zip(layout.groups, layout.by_group(keys_values), strict=True):
        query = queries[begin : begin + group.count].view(group.count, heads, 1, size)
        key, value = part.view(group.count, group.length, 2, heads, size).permute(2, 0, 3, 1, 4)
        bias = None if group.bias is None else group.bias.to(query.dtype)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        mixed.append(attended.reshape(group.count, heads * size))
        begin += group.count
    result = torch.cat(mixed)
    return result if layout.map is None else result.index_select(0, layout.map.lines)
