"""Activation functions, by themselves and as the end of a product."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

# Name and algorithm of oneDNN's operation after a product.
POST_OPERATIONS = {"gelu": ("gelu", "none"), "gelu_new": ("gelu", "tanh"), "relu": ("relu", "")}


def activated(values: Tensor, name: str) -> Tensor:
    """Apply "gelu", "gelu_new" (Hendrycks and Gimpel 2016, by tanh) or "relu"."""
    if name == "relu":
        return F.relu(values)
    return F.gelu(values, approximate="tanh" if name == "gelu_new" else "none")


def linear_activated(values: Tensor, weight: Tensor, bias: Tensor, name: str) -> Tensor:
    """activation(values weight^T + bias) without a gradient, on CPUs.

    Where oneDNN computes the product, it applies the function while results are in registers,
    which spares writing and reading the widest tensor of a layer once more.

    Args:
        values: (T, in), contiguous.
        weight: (out, in), of the same type.
        bias: (out,), of the same type.
        name: see `activated`.

    Returns:
        (T, out) in the type of `values`.
    """
    if not _onednn_computes(values.dtype):
        return activated(torch.addmm(bias, values, weight.t()), name)
    operation, algorithm = POST_OPERATIONS[name]
    return torch.ops.mkldnn._linear_pointwise(values, weight, bias, operation, [], algorithm)


def _onednn_computes(dtype: torch.dtype) -> bool:
    if not _has_operator():
        return False
    if dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    # where this is not asked for, float32 products are those of another library
    backend: Any = getattr(torch.backends.mkldnn, "matmul", None)
    return dtype == torch.float32 and getattr(backend, "fp32_precision", "") == "bf16"


@cache
def _has_operator() -> bool:
    names = ("_linear_pointwise", "_is_mkldnn_bf16_supported")
    return torch.backends.mkldnn.is_available() and all(
        hasattr(torch.ops.mkldnn, name) for name in names
    )
