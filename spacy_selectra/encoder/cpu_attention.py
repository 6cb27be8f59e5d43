"""Attention over a packed batch on CPUs, forward and backward, written out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from spacy_selectra.encoder.dropout import DropoutMasks, apply_mask
from spacy_selectra.encoder.packing import AttentionGroup, PackedLayout

_aten = torch.ops.aten

# Scores of all heads that inference computes in one call: 2 MB of float32, which fits into the
# caches of a few cores. Sequences of 512 are read 1.5 (float32) to 2 times (bfloat16) as fast
# one at a time as four at a time; short ones do not mind.
SCORES_AT_ONCE = 1 << 19
_SAVED = 5  # tensors that the gradient of a group needs


def attention_forward(
    qkv: Tensor, layout: PackedLayout, heads: int, dropout: float, masks: DropoutMasks
) -> tuple[Tensor, list[Tensor | None]]:
    """Scaled dot-product attention within each sequence (Vaswani et al. 2017, section 3.2.1).

    Products are computed in the type of `qkv`, the softmax in float32 at least.

    Args:
        qkv: (R, 3H) queries, keys and values side by side.
        layout: which rows form a sequence.
        heads: number of heads; divides H.
        dropout: probability on attention weights, 0 outside training.
        masks: where their masks come from.

    Returns:
        (R, H), and what `attention_backward` needs.
    """
    cells = _rows_to_cells(qkv, layout)
    mixed = cells.new_empty(len(cells), cells.shape[1] // 3)
    saved: list[Tensor | None] = []
    for group, part, result in zip(
        layout.groups, layout.by_group(cells), layout.by_group(mixed), strict=True
    ):
        saved.extend(_attend(part, group, heads, dropout, masks, result))
    return _cells_to_rows(mixed, layout), saved


def attention_inference(qkv: Tensor, layout: PackedLayout, heads: int) -> Tensor:
    """`attention_forward` for those who need no gradient: (R, 3H) to (R, H).

    Long sequences attend a few at a time, so that scores stay in the cache.
    """
    cells = _rows_to_cells(qkv, layout)
    mixed = cells.new_empty(len(cells), cells.shape[1] // 3)
    masks = DropoutMasks({})
    for group, part, result in zip(
        layout.groups, layout.by_group(cells), layout.by_group(mixed), strict=True
    ):
        fitting = max(1, SCORES_AT_ONCE // (heads * group.length**2))
        at_once = 1 << (fitting.bit_length() - 1)  # a power of two, as counts are
        for begin in range(0, group.count, at_once):
            end = min(begin + at_once, group.count)
            rows = slice(begin * group.length, end * group.length)
            some = group if end - begin == group.count else group.part(begin, end)
            _attend(part[rows], some, heads, 0.0, masks, result[rows])
    return _cells_to_rows(mixed, layout)


def attention_backward(
    grad: Tensor, layout: PackedLayout, heads: int, dropout: float, saved: Sequence[Any]
) -> Tensor:
    """(R, H) gradient of the result of `attention_forward` to (R, 3H) of its `qkv`."""
    mixed = _rows_to_cells(grad, layout, clear=True)
    qkv = mixed.new_empty(len(mixed), 3 * mixed.shape[1])
    for place, (group, part, result) in enumerate(
        zip(layout.groups, layout.by_group(mixed), layout.by_group(qkv), strict=True)
    ):
        own = saved[_SAVED * place : _SAVED * (place + 1)]
        _attend_backward(part, group, heads, dropout, own, result)
    return _cells_to_rows(qkv, layout, clear=True)


def _attend(
    qkv: Tensor,
    group: AttentionGroup,
    heads: int,
    dropout: float,
    masks: DropoutMasks,
    result: Tensor,
) -> list[Tensor | None]:
    """(count * length, 3H) to `result`, (count * length, H); returns what the gradient needs."""
    count, length = group.count, group.length
    size = qkv.shape[-1] // (3 * heads)
    apart = qkv.view(count, length, 3, heads, size).permute(2, 0, 3, 1, 4)
    query, key, value = apart.reshape(3, count * heads, length, size).unbind(0)
    if group.bias is None:
        bias, beta = qkv.new_empty(1, 1, 1), 0
    else:
        bias = group.bias.to(qkv.dtype).expand(count, heads, 1, length)
        bias, beta = bias.reshape(count * heads, 1, length), 1
    scores = torch.baddbmm(bias, query, key.transpose(1, 2), beta=beta, alpha=_scale(size))
    # in float32 even of bfloat16 numbers, whose own softmax is slower than this detour
    weights = torch.softmax(scores, dim=-1, dtype=_softmax_type(qkv.dtype)).to(qkv.dtype)
    mask = masks.take(dropout, weights.shape)
    mixed = torch.bmm(apply_mask(weights, mask, copy=True), value)
    together = result.view(count, length, heads, size).transpose(1, 2)
    together.copy_(mixed.view(count, heads, length, size))
    if mask is not None:
        result.mul_(masks.scale(dropout))
    return [query, key, value, weights, mask]


def _attend_backward(
    grad: Tensor,
    group: AttentionGroup,
    heads: int,
    dropout: float,
    saved: Sequence[Any],
    result: Tensor,
) -> None:
    """(count * length, H) to `result`, (count * length, 3H)."""
    query, key, value, weights, mask = saved
    count, length, size = group.count, group.length, query.shape[-1]
    mixed = grad.view(count, length, heads, size).transpose(1, 2).reshape(-1, length, size)
    if mask is not None:
        mixed.mul_(DropoutMasks.scale(dropout))
    apart = torch.empty((3, count * heads, length, size), dtype=grad.dtype)
    torch.bmm(apply_mask(weights, mask, copy=True).transpose(1, 2), mixed, out=apart[2])
    grads = apply_mask(torch.bmm(mixed, value.transpose(1, 2)), mask)
    scores = _aten._softmax_backward_data(grads, weights, -1, grads.dtype)
    scale = _scale(size)
    torch.baddbmm(apart[0], scores, key, beta=0, alpha=scale, out=apart[0])
    torch.baddbmm(apart[1], scores.transpose(1, 2), query, beta=0, alpha=scale, out=apart[1])
    together = result.view(count, length, 3, heads, size).permute(2, 0, 3, 1, 4)
    together.copy_(apart.view(3, count, heads, length, size))


def _scale(size: int) -> float:
    return 1 / math.sqrt(size)


def _softmax_type(dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if dtype in (torch.bfloat16, torch.float16) else dtype


def _rows_to_cells(values: Tensor, layout: PackedLayout, clear: bool = False) -> Tensor:
    return values if layout.map is None else layout.map.spread(values, clear)


def _cells_to_rows(cells: Tensor, layout: PackedLayout, clear: bool = False) -> Tensor:
    return cells if layout.map is None else layout.map.collect(cells, clear)
