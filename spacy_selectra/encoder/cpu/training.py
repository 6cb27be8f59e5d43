"""An encoder layer, forward and backward, as a single autograd function.

On a CPU the products of a small encoder take little more time than the rest: repeated casts of
autocast, additions of mixed types, dropout by multiplication, gradients of views. A hand-written
forward and backward pass avoids most of these. The mathematics is that of `electra.Layer`, which is
used on devices other than CPUs.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spacy_selectra.encoder.cpu.attention import attention_backward, attention_forward
from spacy_selectra.encoder.cpu.dropout import DropoutMasks, apply_mask
from spacy_selectra.encoder.cpu.linear import activated, rounded_rows
from spacy_selectra.encoder.layout import PackedLayout

_aten = torch.ops.aten


class LayerFunction(torch.autograd.Function):
    """(R, H) and a layer's twelve weights to (R, H).

    Products are in `dtype`; sums, LayerNorm and softmax in the type of the hidden states
    (Micikevicius et al. 2018, section 3.3, with bfloat16, which needs no loss scaling).
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        layout: PackedLayout,
        heads: int,
        options: LayerOptions,
        *weights: Tensor,
    ) -> Tensor:
        """See `layer_function`."""
        with torch.autocast("cpu", enabled=False):
            return _forward(ctx, hidden, layout, heads, options, weights)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, ...]:
        """Gradients of the hidden states and of the weights."""
        with torch.autocast("cpu", enabled=False):
            return _backward(ctx, grads[0])


class LayerOptions:
    """Settings of a layer.

    Args:
        dtype: type of the products.
        activation: "gelu", "gelu_new" or "relu".
        eps: epsilon of LayerNorm.
        hidden_dropout: probability after attention and feed-forward, 0 outside training.
        attention_dropout: probability on attention weights, 0 outside training.
    """

    __slots__ = ("activation", "attention_dropout", "dtype", "eps", "hidden_dropout")

    def __init__(
        self,
        dtype: torch.dtype,
        activation: str,
        eps: float,
        hidden_dropout: float,
        attention_dropout: float,
    ) -> None:
        self.dtype, self.activation, self.eps = dtype, activation, eps
        self.hidden_dropout, self.attention_dropout = hidden_dropout, attention_dropout


def layer_function(
    hidden: Tensor, layout: PackedLayout, heads: int, options: LayerOptions, weights: list[Tensor]
) -> Tensor:
    """Apply `LayerFunction`.

    Args:
        hidden: (R, H), the rows of `layout`.
        layout: of the batch.
        heads: number of heads; divides H.
        options: settings of the layer.
        weights: those of `electra.Layer.weights`.
    """
    result = LayerFunction.apply(hidden, layout, heads, options, *weights)
    assert isinstance(result, Tensor)
    return result


def _forward(
    ctx: Any,
    hidden: Tensor,
    layout: PackedLayout,
    heads: int,
    options: LayerOptions,
    weights: tuple[Tensor, ...],
) -> Tensor:
    dtype, wide = options.dtype, hidden.dtype
    qkv_w, qkv_b, mix_w, mix_b, in_w, in_b, out_w, out_b = (
        weights[place].to(dtype) for place in (0, 1, 2, 3, 6, 7, 8, 9)
    )
    norm1_w, norm1_b, norm2_w, norm2_b = weights[4], weights[5], weights[10], weights[11]
    width = hidden.shape[1:]
    elements: Counter[float] = Counter()  # usually both probabilities are the same
    for group in layout.groups:
        elements[options.attention_dropout] += group.count * heads * group.length**2
    elements[options.hidden_dropout] += 2 * hidden.numel()
    masks = DropoutMasks(elements)

    source = hidden.to(dtype)
    qkv = torch.addmm(qkv_b, source, qkv_w.t())
    context, groups = attention_forward(qkv, layout, heads, options.attention_dropout, masks)
    branch = torch.addmm(mix_b, context, mix_w.t())
    mask1 = masks.take(options.hidden_dropout, hidden.shape)
    sum1 = _add_dropped(hidden, branch, mask1, masks.scale(options.hidden_dropout))
    middle, mean1, rstd1 = torch.native_layer_norm(sum1, width, norm1_w, norm1_b, options.eps)

    inner_source = middle.to(dtype)
    rows = len(hidden)
    inner = _rounded_buffer(inner_source, len(in_w))
    torch.addmm(in_b, inner_source, in_w.t(), out=inner[:rows])
    active = activated(inner, options.activation)[:rows]
    branch = torch.addmm(out_b, active, out_w.t())
    mask2 = masks.take(options.hidden_dropout, hidden.shape)
    sum2 = _add_dropped(middle, branch, mask2, masks.scale(options.hidden_dropout))
    result, mean2, rstd2 = torch.native_layer_norm(sum2, width, norm2_w, norm2_b, options.eps)
    if any(ctx.needs_input_grad):
        ctx.layout, ctx.heads, ctx.options, ctx.wide = layout, heads, options, wide
        ctx.save_for_backward(
            *(source, context, sum1, mean1, rstd1, inner_source, inner, active),
            *(sum2, mean2, rstd2, mask1, mask2, qkv_w, mix_w, in_w, out_w),
            *(norm1_w, norm1_b, norm2_w, norm2_b),
            *groups,
        )
    return result


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    saved = ctx.saved_tensors
    source, context, sum1, mean1, rstd1, inner_source, inner, active = saved[:8]
    sum2, mean2, rstd2, mask1, mask2, qkv_w, mix_w, in_w, out_w = saved[8:17]
    norm1_w, norm1_b, norm2_w, norm2_b = saved[17:21]
    groups = saved[21:]
    options, layout, dtype, wide = ctx.options, ctx.layout, ctx.options.dtype, ctx.wide
    scale = DropoutMasks.scale(options.hidden_dropout)
    width = list(grad.shape[1:])
    everything = [True, True, True]

    residual, norm2_dw, norm2_db = _aten.native_layer_norm_backward(
        grad.contiguous(), sum2, width, mean2, rstd2, norm2_w, norm2_b, everything
    )
    branch = _dropped(residual, dtype, mask2, scale)
    out_dw, out_db = (branch.t() @ active).to(wide), branch.sum(0).to(wide)
    active_grad = _rounded_buffer(branch, inner.shape[1])
    torch.mm(branch, out_w, out=active_grad[: len(branch)])
    inner_grad = _activate_backward(active_grad, inner, options.activation)[: len(branch)]
    in_dw, in_db = (inner_grad.t() @ inner_source).to(wide), inner_grad.sum(0).to(wide)
    _add_product(residual, inner_grad, in_w)
    del branch, active_grad, inner_grad

    residual, norm1_dw, norm1_db = _aten.native_layer_norm_backward(
        residual, sum1, width, mean1, rstd1, norm1_w, norm1_b, everything
    )
    branch = _dropped(residual, dtype, mask1, scale)
    mix_dw, mix_db = (branch.t() @ context).to(wide), branch.sum(0).to(wide)
    qkv = attention_backward(branch @ mix_w, layout, ctx.heads, options.attention_dropout, groups)
    qkv_dw, qkv_db = (qkv.t() @ source).to(wide), qkv.sum(0).to(wide)
    _add_product(residual, qkv, qkv_w)
    return (
        *(residual, None, None, None),
        *(qkv_dw, qkv_db, mix_dw, mix_db, norm1_dw, norm1_db),
        *(in_dw, in_db, out_dw, out_db, norm2_dw, norm2_db),
    )


def _rounded_buffer(like: Tensor, width: int) -> Tensor:
    """A buffer with the rows of `like`, and zeros up to a rounded number of rows.

    oneDNN generates code for every new size of GELU, also for types whose products are not its own.
    """
    buffer = like.new_empty((rounded_rows(len(like)), width))
    buffer[len(like) :].zero_()
    return buffer


def _add_dropped(hidden: Tensor, branch: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    """hidden + dropout(branch); `branch` is overwritten."""
    # converted first, because additions of mixed types take three times as long
    return torch.add(hidden, apply_mask(branch, mask).to(hidden.dtype), alpha=scale)


def _add_product(values: Tensor, left: Tensor, right: Tensor) -> None:
    """values += left @ right, in place."""
    if left.dtype == values.dtype:
        values.addmm_(left, right)
    else:
        # converted first, because additions of mixed types take three times as long
        values.add_((left @ right).to(values.dtype))


def _dropped(grad: Tensor, dtype: torch.dtype, mask: Tensor | None, scale: float) -> Tensor:
    """The gradient of dropout; must not be changed, as without a mask it may be `grad` itself."""
    if mask is None:
        return grad.to(dtype)
    return apply_mask(grad.to(dtype, copy=True), mask, scale)


def _activate_backward(grad: Tensor, values: Tensor, name: str) -> Tensor:
    if name == "relu":
        return grad.masked_fill_(values <= 0, 0)
    approximate = "tanh" if name == "gelu_new" else "none"
    return _aten.gelu_backward(grad, values, approximate=approximate)
