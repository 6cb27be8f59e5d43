"""Cutting a set of sequences into batches of similar length and bounded size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def length_batches(lengths: Sequence[int] | np.ndarray, max_pieces: int) -> list[np.ndarray]:
    """Indices of the sequences of each batch, longest first.

    A packed batch has no padding, so the budget counts real pieces. Similar lengths
    together let attention work on views instead of copies.

    Args:
        lengths: pieces of each sequence.
        max_pieces: most pieces in a batch; a longer sequence gets a batch of its own.

    Returns:
        int64 arrays that together hold every index once.
    """
    sizes = np.asarray(lengths, dtype=np.int64)
    order = np.argsort(-sizes, kind="stable")
    batches: list[np.ndarray] = []
    begin, pieces = 0, 0
    for place, index in enumerate(order):
        if place > begin and pieces + sizes[index] > max_pieces:
            batches.append(order[begin:place])
            begin, pieces = place, 0
        pieces += int(sizes[index])
    if len(order):
        batches.append(order[begin:])
    return batches
