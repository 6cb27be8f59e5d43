"""Attention for packed batches on CPUs, with a hand-written backward pass."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from spacy_selectra.encoder.cpu.dropout import DropoutMasks, apply_mask
from spacy_selectra.encoder.layout import AttentionGroup, PackedLayout

_aten = torch.ops.aten

# Attention scores of all heads per call in inference: 2 MB of float32, which fits into the caches
# of a few cores. Sequences of 512 pieces are 1.5 (float32) to 2 times (bfloat16) as fast one at a
# time as four at a time; for short ones it makes no difference.
SCORES_AT_ONCE = 1 << 19
_SAVED = 5  # tensors saved per group for the backward pass


def attention_forward(
    qkv: Tensor, layout: PackedLayout, heads: int, dropout: float, masks: DropoutMasks
) -> tuple[Tensor, list[Tensor | None]]:
    """Scaled dot-product attention within each sequence (Vaswani et al. 2017, section 3.2.1).

    Products are computed in the type of `qkv`, the softmax in float32 at least.

    Args:
        qkv: (R, 3H) concatenated queries, keys and values.
        layout: of the batch.
        heads: number of heads; divides H.
        dropout: probability on attention weights, 0 outside training.
        masks: source of dropout masks.

    Returns:
        (R, H), and the tensors for `attention_backward`.
    """
    apart = _apart(qkv, layout, heads)
    mixed = torch.empty_like(apart[0])
    saved: list[Tensor | None] = []
    for group, rows in _by_group(layout, heads):
        saved.extend(_attend(apart[:, rows], group, heads, mixed[rows], dropout, masks))
    return _together(mixed, layout, heads), saved


def attention_inference(qkv: Tensor, layout: PackedLayout, heads: int) -> Tensor:
    """`attention_forward` without a backward pass: (R, 3H) to (R, H).

    Long sequences are processed a few at a time, so that scores stay in the cache.
    """
    apart = _apart(qkv, layout, heads)
    mixed = torch.empty_like(apart[0])
    for group, rows in _by_group(layout, heads):
        fitting = max(1, SCORES_AT_ONCE // (heads * group.length**2))
        at_once = 1 << (fitting.bit_length() - 1)  # a power of two, like the counts of sequences
        line = heads * group.length
        for begin in range(0, group.count, at_once):
            end = min(begin + at_once, group.count)
            some = group if end - begin == group.count else group.part(begin, end)
            part = slice(rows.start + begin * line, rows.start + end * line)
            _attend(apart[:, part], some, heads, mixed[part])
    return _together(mixed, layout, heads)


def attention_backward(
    grad: Tensor, layout: PackedLayout, heads: int, dropout: float, saved: Sequence[Any]
) -> Tensor:
    """(R, H) gradient of the result of `attention_forward` to the (R, 3H) gradient of `qkv`."""
    mixed = _gradient_apart(grad, layout, heads)
    if dropout:
        mixed.mul_(DropoutMasks.scale(dropout))
    apart = mixed.new_empty((3, *mixed.shape))
    for place, (group, rows) in enumerate(_by_group(layout, heads)):
        own = saved[_SAVED * place : _SAVED * (place + 1)]
        _attend_backward(mixed[rows], group, heads, own, apart[:, rows])
    return _gradient_together(apart, layout, heads)


def _attend(
    apart: Tensor,
    group: AttentionGroup,
    heads: int,
    result: Tensor,
    dropout: float = 0.0,
    masks: DropoutMasks | None = None,
) -> list[Tensor | None]:
    """(3, count * heads * length, size) to `result`; returns the tensors for the backward pass."""
    count, length, size = group.count, group.length, apart.shape[-1]
    query, key, value = apart.view(3, count * heads, length, size).unbind(0)
    if group.bias is None:
        bias, beta = apart.new_empty(1, 1, 1), 0
    else:
        bias = group.bias.to(apart.dtype).expand(count, heads, 1, length)
        bias, beta = bias.reshape(count * heads, 1, length), 1
    scores = torch.baddbmm(bias, query, key.transpose(1, 2), beta=beta, alpha=_scale(size))
    # in float32 also for bfloat16, whose softmax is slower than converting
    weights = torch.softmax(scores, dim=-1, dtype=_softmax_type(apart.dtype)).to(apart.dtype)
    mask = None if masks is None else masks.take(dropout, weights.shape)
    mixed = result.view(count * heads, length, size)
    kept = weights if mask is None else apply_mask(weights, mask, copy=True)
    torch.bmm(kept, value, out=mixed)
    if mask is not None:
        mixed.mul_(DropoutMasks.scale(dropout))
    return [query, key, value, weights, mask]


def _attend_backward(
    grad: Tensor, group: AttentionGroup, heads: int, saved: Sequence[Any], result: Tensor
) -> None:
    """(count * heads * length, size), scaled, to `result`, (3, count * heads * length, size)."""
    query, key, value, weights, mask = saved
    length, size = group.length, query.shape[-1]
    mixed = grad.view(-1, length, size)
    apart = result.view(3, -1, length, size)
    torch.bmm(apply_mask(weights, mask, copy=True).transpose(1, 2), mixed, out=apart[2])
    grads = apply_mask(torch.bmm(mixed, value.transpose(1, 2)), mask)
    scores = _aten._softmax_backward_data(grads, weights, -1, grads.dtype)
    scale = _scale(size)
    torch.baddbmm(apart[0], scores, key, beta=0, alpha=scale, out=apart[0])
    torch.baddbmm(apart[1], scores.transpose(1, 2), query, beta=0, alpha=scale, out=apart[1])


def _by_group(layout: PackedLayout, heads: int) -> Iterator[tuple[AttentionGroup, slice]]:
    """Each group, and the slice of its parts among all (C * heads)."""
    begin = 0
    for group in layout.groups:
        end = begin + group.count * heads * group.length
        yield group, slice(begin, end)
        begin = end


def _apart(qkv: Tensor, layout: PackedLayout, heads: int) -> Tensor:
    """(R, 3H) to (3, C * heads, size) queries, keys and values by head."""
    size = qkv.shape[1] // (3 * heads)
    if layout.map is None:
        (group,) = layout.groups
        shares = qkv.view(group.count, group.length, 3, heads, size).permute(2, 0, 3, 1, 4)
        return shares.reshape(3, -1, size)
    shares = qkv.view(-1, size).index_select(0, layout.by_head(heads).qkv)
    return shares.view(3, -1, size)


def _together(mixed: Tensor, layout: PackedLayout, heads: int) -> Tensor:
    """(C * heads, size) by head to (R, H); padding rows have arbitrary finite values."""
    size = mixed.shape[1]
    if layout.map is None:
        (group,) = layout.groups
        lines = mixed.view(group.count, heads, group.length, size).transpose(1, 2)
        return lines.reshape(-1, heads * size)
    rows = mixed.index_select(0, layout.by_head(heads).rows_back)
    return rows.view(-1, heads * size)


def _gradient_apart(grad: Tensor, layout: PackedLayout, heads: int) -> Tensor:
    """(R, H) to (C * heads, size) by head, zero for empty cells."""
    size = grad.shape[1] // heads
    if layout.map is None:
        (group,) = layout.groups
        shares = grad.view(group.count, group.length, heads, size).transpose(1, 2)
        return shares.reshape(-1, size)
    places = layout.by_head(heads)
    return grad.view(-1, size).index_select(0, places.rows).index_fill_(0, places.empty, 0)


def _gradient_together(apart: Tensor, layout: PackedLayout, heads: int) -> Tensor:
    """(3, C * heads, size) by head to (R, 3H), zero in padding rows."""
    size = apart.shape[-1]
    if layout.map is None:
        (group,) = layout.groups
        lines = apart.view(3, group.count, heads, group.length, size).permute(1, 3, 0, 2, 4)
        return lines.reshape(-1, 3 * heads * size)
    shares = apart.view(-1, size).index_select(0, layout.by_head(heads).qkv_back)
    qkv = shares.view(layout.rows, -1)
    qkv[layout.total :].zero_()
    return qkv


def _scale(size: int) -> float:
    return 1 / math.sqrt(size)


def _softmax_type(dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if dtype in (torch.bfloat16, torch.float16) else dtype
