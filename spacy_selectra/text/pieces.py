"""Windows of long texts, and the alignment of pieces and words.

Words and pieces are given by offsets: the first character and the one after the last. A piece
belongs to every word with which it has a character in common; special pieces belong to none.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from spacy_selectra.util.arrays import runs

# Share of a window by which a cut may be moved to fall between sentences.
_SLACK = 1 / 8

_SENTENCE_END = frozenset(".!?…\n")


class Window(NamedTuple):
    """Pieces of a text that are read at once.

    Attributes:
        begin, end: its first piece and the one after its last.
        first, last: the first piece whose result is used and the one after the last; the others
            are context. The result of every piece comes from exactly one window.
    """

    begin: int
    end: int
    first: int
    last: int


def overlapping_windows(
    count: int,
    size: int,
    stride: int,
    placing: Literal["strides", "full", "even"],
    starts: np.ndarray | None = None,
) -> list[Window]:
    """Windows of at most `size` pieces with an overlap of at least `size - stride`.

    The overlap is divided in the middle, so the result of every piece comes from the window in
    which it has more context. A text without pieces has one empty window.

    Args:
        count: number of pieces of the text.
        size: maximum pieces of a window.
        stride: maximum distance between the beginnings of windows, in pieces.
        placing: with "strides", windows begin at multiples of `stride`, and the last one may be
            shorter; "full" moves the last one back so that it is not; "even" gives equal distances.
        starts: (w,) int64 ascending, pieces that begin a word: a window begins at the next one if
            it is less than an eighth of `size` away.
    """
    steps = max(0, -(-(count - size) // stride))
    begins = np.arange(steps + 1) * stride
    if placing == "full":
        begins = np.minimum(begins, max(0, count - size))
    elif placing == "even":
        begins = np.linspace(0, max(0, count - size), steps + 1).astype(np.int64)
    if starts is not None and len(starts):
        next_start = starts[np.minimum(np.searchsorted(starts, begins), len(starts) - 1)]
        away = next_start - begins
        begins[1:] += np.where((away > 0) & (away < size // 8), away, 0)[1:]
    ends = np.minimum(begins + size, count)
    borders = [0, *((begins[1:] + ends[:-1]) // 2).tolist(), count]
    return [
        Window(begin, end, borders[place], borders[place + 1])
        for place, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True))
    ]


def sentence_windows(
    offsets: np.ndarray, text: str, size: int, stride: int | None = None
) -> list[Window]:
    """As few windows as possible, of nearly equal size, that begin after a sentence or at a space.

    Args:
        offsets: (n, 2) int64 offsets of the pieces in `text`.
        text: the text.
        size: maximum pieces of a window.
        stride: maximum number of pieces of a window whose results are used; those before them are
            context. None for no overlap.
    """
    total = len(offsets)
    if total <= size:
        return [Window(0, total, 0, total)]
    stride = stride or size
    windows: list[Window] = []
    begin = 0
    while begin < total:
        remaining = total - begin
        end = total
        if remaining > stride:
            even = begin + -(-remaining // -(-remaining // stride))
            end = _best_cut(offsets, text, begin, even, min(begin + stride, total - 1))
        windows.append(Window(max(0, begin - (size - stride)), end, begin, end))
        begin = end
    return windows


def _best_cut(offsets: np.ndarray, text: str, begin: int, even: int, latest: int) -> int:
    """The cut nearest to `even` after a sentence, else at a space, else `even` itself."""
    slack = max(1, int((even - begin) * _SLACK))
    at_space: int | None = None
    for distance in range(slack + 1):
        for cut in (even + distance, even - distance):
            if not begin < cut <= latest:
                continue
            before, after = int(offsets[cut - 1, 1]), int(offsets[cut, 0])
            if before >= after:
                continue
            if text[before - 1] in _SENTENCE_END or "\n" in text[before:after]:
                return cut
            at_space = cut if at_space is None else at_space
    return even if at_space is None else at_space


# Alignment of words and pieces.


def touched_words(
    begins: np.ndarray, ends: np.ndarray, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The words that have a character in common with each span of text.

    Args:
        begins: (T,) int64, first character of each word, ascending.
        ends: (T,) int64, the character after its last; words do not overlap. An empty word
            belongs to a span that contains its position.
        offsets: (n, 2) int64, first character of each span and the one after its last.

    Returns:
        (n,) int64 first word, and the one after the last; equal if there are none.
    """
    first = np.searchsorted(ends, offsets[:, 0], side="right")
    after = np.searchsorted(begins, offsets[:, 1], side="left")
    return first, np.where(offsets[:, 1] > offsets[:, 0], np.maximum(first, after), first)


def pieces_of_words(
    begins: np.ndarray, ends: np.ndarray, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The pieces of each word; arguments as for `touched_words`, with pieces as spans.

    Returns:
        (P,) int64 pieces, word after word and ascending for each word, and (T,) int64 number of
        pieces of each word.
    """
    first, after = touched_words(begins, ends, offsets)
    counts = after - first
    words = runs(first, counts)
    order = np.argsort(words, kind="stable")
    pieces = np.repeat(np.arange(len(offsets)), counts)[order]
    return pieces, np.bincount(words, minlength=len(begins))


def first_pieces(begins: np.ndarray, ends: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """(n,) int64, the index of the word of which each piece is the first, -1 for none.

    If several words begin in a piece, it is the last; arguments as for `pieces_of_words`.
    """
    pieces, counts = pieces_of_words(begins, ends, offsets)
    words = np.flatnonzero(counts)
    result = np.full(len(offsets), -1, dtype=np.int64)
    result[pieces[(np.cumsum(counts) - counts)[words]]] = words
    return result


def word_maxima(rows: np.ndarray, counts: np.ndarray, width: int, values: np.ndarray) -> np.ndarray:
    """The highest value of each word's pieces, if a word may occur in several windows.

    The window counts in which the word has the most context, measured on the side with less; the
    ends of the document do not limit context. If several windows are equal, all of them count. All
    parts of a split word count, because each is at the edge of its window, without context.

    Args:
        rows: (P,) int64, indices of the pieces in the concatenated windows of a document: word
            after word, ascending for each word.
        counts: (T,) int64, number of pieces of each word.
        width: length of each window, padding included; greater than all `rows` for a single
            window.
        values: (P,) float32, of the pieces at `rows`.

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

    # occurrence: the pieces of one word in one window
    changes = (np.diff(word) != 0) | (np.diff(window) != 0)
    starts = np.concatenate(([0], np.flatnonzero(changes) + 1))
    stops = np.append(starts[1:], len(rows)) - 1
    before = place[starts] - first[window[starts]]
    after = last[window[starts]] - place[stops]
    context = np.minimum(before, after)
    most = np.full(len(counts), -1.0)
    np.maximum.at(most, word[starts], context)
    kept = context == most[word[starts]]
    np.maximum.at(words, word[starts][kept], np.maximum.reduceat(values, starts)[kept])
    return words
