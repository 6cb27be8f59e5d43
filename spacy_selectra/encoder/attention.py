"""Self-attention over a packed batch."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from spacy_selectra.encoder.dropout import dropout
from spacy_selectra.encoder.packing import AttentionGroup, PackedLayout


def packed_attention(
    qkv: Tensor, layout: PackedLayout, heads: int, dropout_probability: float = 0.0
) -> Tensor:
    """Scaled dot-product attention within each sequence (Vaswani et al. 2017, section 3.2.1).

    Args:
        qkv: (T, 3 * H) queries, keys and values side by side.
        layout: which rows form a sequence.
        heads: number of heads; divides H.
        dropout_probability: dropout on attention weights, 0 outside training.

    Returns:
        (T, H), in the dtype of `qkv`.
    """
    width = qkv.shape[-1] // 3
    if len(layout.groups) == 1 and layout.groups[0].start is not None:
        return _attend(qkv, layout.groups[0], heads, dropout_probability).reshape(-1, width)
    pieces: list[Tensor] = []
    targets: list[Tensor] = []
    for group in layout.groups:
        if group.start is None:
            assert group.rows is not None
            assert group.valid is not None
            assert group.targets is not None
            cells = _attend(qkv[group.rows], group, heads, dropout_probability)
            pieces.append(cells.reshape(-1, width)[group.valid])
            targets.append(group.targets)
        else:
            stop = group.start + group.count * group.length
            cells = _attend(qkv[group.start : stop], group, heads, dropout_probability)
            pieces.append(cells.reshape(-1, width))
            targets.append(torch.arange(group.start, stop, device=qkv.device))
    # every row belongs to exactly one group, so the inverse permutation puts them back
    order = torch.empty(layout.total, dtype=torch.int64, device=qkv.device)
    rows = torch.cat(targets)
    order[rows] = torch.arange(layout.total, device=qkv.device)
    return torch.cat(pieces)[order]


def _attend(qkv: Tensor, group: AttentionGroup, heads: int, dropout_probability: float) -> Tensor:
    """(count * length, 3H) to (count, length, H)."""
    size = qkv.shape[-1] // (3 * heads)
    cells = qkv.view(group.count, group.length, 3, heads, size)
    query, key, value = cells.permute(2, 0, 3, 1, 4).unbind(0)
    if qkv.is_cuda:
        bias = None if group.bias is None else group.bias.to(query.dtype)
        mixed = F.scaled_dot_product_attention(
            query, key, value, attn_mask=bias, dropout_p=dropout_probability
        )
    else:
        # explicit products: on CPUs torch's fused kernel is slower at these lengths,
        # by far in training and in bf16
        scores = torch.matmul(query * (1 / math.sqrt(size)), key.transpose(-1, -2))
        if group.bias is not None:
            scores = scores + group.bias.to(scores.dtype)
        weights = torch.softmax(scores, dim=-1)
        weights = dropout(weights, dropout_probability, training=dropout_probability > 0)
        mixed = torch.matmul(weights.to(value.dtype), value)
    return mixed.transpose(1, 2).reshape(group.count, group.length, heads * size)
