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


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Logistic function, without overflow for large logits."""
    return 1 / (1 + np.exp(-np.clip(logits, -60, 60)))


def binary_loss(logits: np.ndarray, truth: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean binary cross-entropy over entries that are not NaN in `truth`, and its gradient.

    Args:
        logits: (T,) float32, numpy or cupy.
        truth: (T,) float32 of the same kind, 0 or 1; NaN entries are ignored.

    Returns:
        The loss, and (T,) float32.
    """
    (rows,) = (~np.isnan(truth)).nonzero()  # of cupy arrays this is the one of cupy
    gradient = logits * 0
    if not len(rows):
        return 0.0, gradient
    own, right = logits[rows], truth[rows]
    gradient[rows] = (sigmoid(own) - right) / len(rows)
    return float(np.logaddexp(0, own * (1 - 2 * right)).mean()), gradient


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
