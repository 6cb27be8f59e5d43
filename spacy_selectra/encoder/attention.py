"""Self-attention over a packed batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from spacy_selectra.encoder.packing import AttentionGroup, PackedLayout, PadIndex

_flash_forward = torch.ops.aten._flash_attention_forward

# Compute capability from which on torch's flash attention runs.
_AMPERE = (8, 0)


def packed_attention(
    qkv: Tensor, layout: PackedLayout, heads: int, dropout_probability: float = 0.0
) -> Tensor:
    """Scaled dot-product attention within each sequence (Vaswani et al. 2017, section 3.2.1).

    On CPUs `layer_function` has its own; this is for other devices.

    Args:
        qkv: (R, 3 * H) queries, keys and values side by side.
        layout: which rows form a sequence.
        heads: number of heads; divides H.
        dropout_probability: dropout on attention weights, 0 outside training.

    Returns:
        (R, H), in the dtype of `qkv`.
    """
    if _takes_flash(qkv):
        return _flash(qkv, layout, heads, dropout_probability)
    if layout.map is None:
        return _attend(qkv, layout.groups[0], heads, dropout_probability)
    cells = _apply(_RowsToCells, qkv, layout.map)
    mixed = [
        _attend(part, group, heads, dropout_probability)
        for part, group in zip(layout.by_group(cells), layout.groups, strict=True)
    ]
    return _apply(_CellsToRows, torch.cat(mixed), layout.map)


def _takes_flash(qkv: Tensor) -> bool:
    """Whether torch's flash attention computes this: half precision, on a GPU since Ampere."""
    return (
        qkv.is_cuda
        and qkv.dtype in (torch.bfloat16, torch.float16)
        and torch.backends.cuda.is_flash_attention_available()  # in this build of torch
        and torch.cuda.get_device_capability(qkv.device) >= _AMPERE
    )


def _flash(qkv: Tensor, layout: PackedLayout, heads: int, dropout_probability: float) -> Tensor:
    """Flash attention over sequences of any length, with no padding (Dao 2024, section 3.1).

    This is the operator behind `scaled_dot_product_attention` on nested tensors, which would
    rebuild the offsets in every layer; `varlen_attn`, its public form, has no dropout.
    """
    total, size = qkv.shape[0], qkv.shape[1] // (3 * heads)
    query, key, value = qkv.view(total, 3, heads, size).unbind(1)
    mixed = _flash_forward(
        query,
        key,
        value,
        layout.cu_seqlens,
        layout.cu_seqlens,
        layout.max_seqlen,
        layout.max_seqlen,
        dropout_probability,
        False,
        False,
    )[0]
    return mixed.reshape(total, heads * size)


def _attend(qkv: Tensor, group: AttentionGroup, heads: int, dropout_probability: float) -> Tensor:
    """(count * length, 3H) to (count * length, H)."""
    size = qkv.shape[-1] // (3 * heads)
    cells = qkv.view(group.count, group.length, 3, heads, size)
    query, key, value = cells.permute(2, 0, 3, 1, 4).unbind(0)
    bias = None if group.bias is None else group.bias.to(query.dtype)
    mixed = F.scaled_dot_product_attention(
        query, key, value, attn_mask=bias, dropout_p=dropout_probability
    )
    return mixed.transpose(1, 2).reshape(group.count * group.length, heads * size)


class _RowsToCells(torch.autograd.Function):
    """Lay rows out in cells. A row has one cell, so the gradient is a plain lookup, where
    autograd's own would add up, one by one; nothing reads empty cells and padding rows."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, cell_map: PadIndex) -> Tensor:
        ctx.map = cell_map
        return cell_map.pad(values)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return ctx.map.unpad(grads[0], clear=True), None


class _CellsToRows(torch.autograd.Function):
    """Take the rows back out of their cells; the gradient of empty cells is zero."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, cell_map: PadIndex) -> Tensor:
        ctx.map = cell_map
        return cell_map.unpad(values)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return ctx.map.pad(grads[0], clear=True), None


def _apply(function: type[torch.autograd.Function], values: Tensor, cell_map: PadIndex) -> Tensor:
    result = function.apply(values, cell_map)
    assert isinstance(result, Tensor)
    return result
