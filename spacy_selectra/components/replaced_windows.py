"""From the probabilities of pieces, read in windows, to those of words. Knows no spaCy."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np


class Window(NamedTuple):
    """A stretch of a document's pieces the discriminator sees at once.

    Pieces `begin` to `end` are its input; its output is kept for `keep_begin` to `keep_end`.
    """

    document: int
    begin: int
    end: int
    keep_begin: int
    keep_end: int


def make_windows(document: int, pieces: int, budget: int) -> list[Window]:
    """Windows of at most `budget` pieces over a document; each piece is kept from one of them.

    Neighbours overlap by at least a quarter of the budget and share the overlap in halves.
    """
    if pieces <= budget:
        return [Window(document, 0, pieces, 0, pieces)] if pieces else []
    stride = budget - budget // 4
    begins = [*range(0, pieces - budget, stride), pieces - budget]
    borders = [(left + budget + right) // 2 for left, right in pairwise(begins)]
    return [
        Window(document, begin, begin + budget, keep_begin, keep_end)
        for begin, keep_begin, keep_end in zip(
            begins, [0, *borders], [*borders, pieces], strict=True
        )
    ]


def overlapping_maxima(
    begins: np.ndarray, ends: np.ndarray, offsets: np.ndarray, probabilities: np.ndarray
) -> np.ndarray:
    """The highest probability of the pieces that share a character with each word.

    Args:
        begins: (T,) int64, first character of each word.
        ends: (T,) int64, the one after its last.
        offsets: (n, 2) int64, first character of each piece and the one after its last.
        probabilities: (n,) float32.

    Returns:
        (T,) float32, 0 for a word without pieces.
    """
    words = np.zeros(len(begins), dtype=np.float32)
    if not len(begins) or not len(probabilities):
        return words
    first = np.searchsorted(ends, offsets[:, 0], side="right")
    after = np.searchsorted(begins, offsets[:, 1], side="left")
    # nearly always one word a piece; a piece that covers several counts for each
    counts = np.maximum(after - first, 0)
    piece = np.repeat(np.arange(len(counts)), counts)
    word = first[piece] + np.arange(len(piece)) - np.repeat(np.cumsum(counts) - counts, counts)
    np.maximum.at(words, word, probabilities[piece])
    return words


def aligned_maxima(
    rows: np.ndarray, counts: np.ndarray, width: int, probabilities: np.ndarray
) -> np.ndarray:
    """The highest probability of each word's pieces, when windows may show a word repeatedly.

    Of the windows that show a word, the one counts in which it has more pieces of context on
    its poorer side; the ends of the document are no lack of context. Windows that give it
    equally much all count. So does every part of a word that was cut: it touches the edge of
    each of its windows and has no context in any.

    Args:
        rows: (P,) int64, places of the pieces in the windows of one document laid end to
            end: word after word, in ascending order for each word.
        counts: (T,) int64, how many of these each word has.
        width: places of each window, padding included.
        probabilities: (P,) float32, of the pieces at `rows`.

    Returns:
        (T,) float32, 0 for a word without pieces.
    """
    words = np.zeros(len(counts), dtype=np.float32)
    if not len(rows):
        return words
    word = np.repeat(np.arange(len(counts)), counts)
    window, place = np.divmod(rows, width)
    first = np.full(window.max() + 1, np.inf)
    last = np.full(window.max() + 1, -np.inf)
    np.minimum.at(first, window, place)
    np.maximum.at(last, window, place)
    first[window[0]], last[window[-1]] = -np.inf, np.inf

    # one occurrence: the pieces of one word in one window
    changes = (np.diff(word) != 0) | (np.diff(window) != 0)
    starts = np.concatenate(([0], np.flatnonzero(changes) + 1))
    stops = np.append(starts[1:], len(rows)) - 1
    before = place[starts] - first[window[starts]]
    after = last[window[starts]] - place[stops]
    context = np.minimum(before, after)
    most = np.full(len(counts), -1.0)
    np.maximum.at(most, word[starts], context)
    kept = context == most[word[starts]]
    np.maximum.at(words, word[starts][kept], np.maximum.reduceat(probabilities, starts)[kept])
    return words


__all__ = ["Window", "aligned_maxima", "make_windows", "overlapping_maxima"]
