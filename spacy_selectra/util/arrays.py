"""Arithmetic with numpy that several floors need."""

from __future__ import annotations

import numpy as np


def runs(begins: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Runs of numbers, one after the other, from their (S,) first ones and (S,) lengths; int64.

    From 7 and 0, 2 and 3 long: 7, 8, 0, 1, 2.
    """
    ends = np.cumsum(sizes)
    return np.repeat(begins - (ends - sizes), sizes) + np.arange(sizes.sum())


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities over the last axis, of the same shape and type."""
    if not logits.shape[-1]:
        return logits
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
