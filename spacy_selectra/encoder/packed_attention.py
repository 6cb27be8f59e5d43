"""Self-attention over a packed batch."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from spacy_selectra.encoder.layout import AttentionGroup, PackedLayout, PadIndex

_flash_forward = torch.ops.aten._flash_attention_forward

# Lowest compute capability for torch's flash attention.
_AMPERE = (8, 0)


def packed_attention(
    qkv: Tensor, layout: PackedLayout, heads: int, dropout_probability: float = 0.0
) -> Tensor:
    """Scaled dot-product attention within each sequence (Vaswani et al. 2017, section 3.2.1).

    For devices other than CPUs, where `layer_function` has its own.

    Args:
        qkv: (R, 3 * H) concatenated queries, keys and values.
        layout: of the batch.
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
    """Whether torch's flash attention supports this: 16-bit types on a GPU from Ampere on."""
    return (
        qkv.is_cuda
        and qkv.dtype in (torch.bfloat16, torch.float16)
        and torch.backends.cuda.is_flash_attention_available()  # in this build of torch
        and torch.cuda.get_device_capability(qkv.device) >= _AMPERE
    )


def _flash(qkv: Tensor, layout: PackedLayout, heads: int, dropout_probability: float) -> Tensor:
    """Flash attention for sequences of any length, without padding (Dao 2024, section 3.1).

    This is the operator of `scaled_dot_product_attention` on nested tensors, which would compute
    cu_seqlens again in every layer; `varlen_attn`, its public interface, has no dropout.
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
    """Pad: rows to cells. Each row has one cell, so the gradient is a lookup, where autograd would
    use a slow scatter-add; empty cells and padding rows are never read."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, cell_map: PadIndex) -> Tensor:
        ctx.map = cell_map
        return cell_map.pad(values)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return ctx.map.unpad(grads[0], clear=True), None


class _CellsToRows(torch.autograd.Function):
    """Unpad: cells to rows; the gradient of empty cells is zero."""

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


# Attention of the first piece of each sequence only, which is enough for classifying sequences.


def first_piece_attention(
    queries: Tensor, keys_values: Tensor, layout: PackedLayout, heads: int
) -> Tensor:
    """Scaled dot-product attention (Vaswani et al. 2017, section 3.2.1) of [CLS] only.

    As `packed_attention` for the rows `layout.first`, without dropout, on any device.

    Args:
        queries: (B, H), one per sequence.
        keys_values: (R, 2 * H) concatenated keys and values.
        layout: of the batch.
        heads: number of heads; divides H.

    Returns:
        (B, H), in the dtype of `keys_values`.
    """
    if layout.map is not None:
        keys_values = layout.map.pad(keys_values)
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


# Attention that also returns its weights.


class LayerOutputs(NamedTuple):
    """All outputs for a packed batch of B sequences and T pieces, the longest of L.

    Attributes:
        last: (T, H) vectors.
        hidden_states: (T, H) vectors before the first layer and after each layer.
        attentions: (B, heads, L, L) weights of each layer, from each query (third dimension) to
            all keys (fourth); zeros for padding.
    """

    last: Tensor
    hidden_states: list[Tensor]
    attentions: list[Tensor]


def attention_with_weights(
    qkv: Tensor, present: Tensor, heads: int, dropout_probability: float = 0.0
) -> tuple[Tensor, Tensor]:
    """As `packed_attention`, and the attention weights after dropout.

    Args:
        qkv: (B, L, 3 * H) concatenated queries, keys and values, padded on the right.
        present: (B, L) bool, False for padding.
        heads: number of heads; divides H.
        dropout_probability: dropout on attention weights, 0 outside training.

    Returns:
        (B, L, H), and (B, heads, L, L).
    """
    count, length, width = qkv.shape
    size = width // (3 * heads)
    query, key, value = qkv.view(count, length, 3, heads, size).permute(2, 0, 3, 1, 4).unbind(0)
    scores = query @ key.transpose(2, 3) / size**0.5
    scores = scores.float().masked_fill(~present[:, None, None, :], -torch.inf)
    weights = F.dropout(scores.softmax(-1), dropout_probability)
    mixed = weights.to(value.dtype) @ value
    return mixed.transpose(1, 2).reshape(count, length, heads * size), weights


def padding_cleared(attentions: Tensor, present: Tensor) -> Tensor:
    """(B, heads, L, L) weights of a layer with zeros for padding, by (B, L) `present`."""
    return attentions.float() * present[:, None, :, None]
