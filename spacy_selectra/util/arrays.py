"""Numpy helpers of several packages."""

from __future__ import annotations

from typing import Any

import numpy as np


def runs(begins: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Concatenated ranges of consecutive numbers, int64, from their (S,) begins and (S,) sizes.

    For begins 7 and 0, and sizes 2 and 3: 7, 8, 0, 1, 2.
    """
    ends = np.cumsum(sizes)
    return np.repeat(begins - (ends - sizes), sizes) + np.arange(sizes.sum())


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities over the last axis, of the same shape and type."""
    if not logits.shape[-1]:
        return logits
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def keep_some(
    kept: list[Any], item: Any, number: int, size: int | None, random: np.random.Generator
) -> None:
    """Keep the `number`-th item of a stream or not, so that in the end a random choice of `size`
    is left (reservoir sampling, Vitter 1985, algorithm R); None keeps all."""
    if size is None or len(kept) < size:
        kept.append(item)
        return
    place = int(random.integers(number))
    if place < size:
        kept[place] = item
