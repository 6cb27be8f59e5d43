"""Activation functions, by themselves and as the end of a product."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

# Name and algorithm of oneDNN's operation after a product.
POST_OPERATIONS = {"gelu": ("gelu", "none"), "gelu_new": ("gelu", "tanh"), "relu": ("relu", "")}


def activated(values: Tensor, name: str) -> Tensor:
    """Apply "gelu", "gelu_new" (Hendrycks and Gimpel 2016, by tanh) or "relu"."""
    if name == "relu":
        return F.relu(values)
    return F.gelu(values, approximate="tanh" if name == "gelu_new" else "none")
