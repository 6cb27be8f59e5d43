"""Arithmetic with the places of runs in flat arrays."""

from __future__ import annotations

import numpy as np


def runs(begins: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Runs of numbers, one after the other, from their (S,) first ones and (S,) lengths; int64.

    From 7 and 0, 2 and 3 long: 7, 8, 0, 1, 2.
    """
    ends = np.cumsum(sizes)
    return np.repeat(begins - (ends - sizes), sizes) + np.arange(sizes.sum())
