"""Which pieces of a text belong together: those that are read at once, and those of a word.

Words and pieces are given by their characters: the first one, and the one after the last. A piece
belongs to every word with which it shares a character, and one without characters (a special
piece) to none.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from spacy_selectra.util.arrays import runs

# A cut may move this share of a window away from the even cut to fall between sentences.
_SLACK = 1 / 8

_SENTENCE_END = frozenset(".!?…\n")


class Window(NamedTuple):
    """Pieces of a text that are read at once.

    Attributes:
        begin, end: its first piece and the one after its last.
        first, last: the first piece it answers for and the one after the last; those around
            them are context. Every piece of a text is answered for by one window.
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
    """Windows of at most `size` pieces, so close that they overlap by at least `size - stride`.

    Neighbours share their overlap in halves, so every piece is answered for by the window in
    which it has more context. A text without pieces has one empty window.

    Args:
        count: pieces of the text.
        size: most pieces of a window.
        stride: most pieces from the beginning of a window to that of the next.
        placing: "strides" has windows begin at multiples of `stride`, and the last one may be
            shorter; "full" moves that one back until it is not; "even" leaves equal distances.
        starts: (w,) int64 ascending, pieces that begin a word: a window begins with the next of
            them if that is less than an eighth of `size` away.
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
        offsets: (n, 2) int64 characters of the pieces in `text`.
        text: what was tokenized.
        size: most pieces of a window.
        stride: most pieces a window answers for, the others being those before them as context;
            None for no overlap.
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


# Words: which pieces are theirs, and what they get from these.


def touched_words(
    begins: np.ndarray, ends: np.ndarray, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The words that share a character with each stretch of text.

    Args:
        begins: (T,) int64, first character of each word, ascending.
        ends: (T,) int64, the one after its last; no word reaches into the next. A word of no
            characters is touched by what goes on around it.
        offsets: (n, 2) int64, first character of each stretch and the one after its last.

    Returns:
        (n,) int64 first word, and the one after the last; equal where there is none.
    """
    first = np.searchsorted(ends, offsets[:, 0], side="right")
    after = np.searchsorted(begins, offsets[:, 1], side="left")
    return first, np.where(offsets[:, 1] > offsets[:, 0], np.maximum(first, after), first)


def pieces_of_words(
    begins: np.ndarray, ends: np.ndarray, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The pieces of each word; arguments as for `touched_words`, which stretches are pieces.

    Returns:
        (P,) int64 pieces, word after word and in ascending order for each, and (T,) int64 how
        many each word has.
    """
    first, after = touched_words(begins, ends, offsets)
    counts = after - first
    words = runs(first, counts)
    order = np.argsort(words, kind="stable")
    pieces = np.repeat(np.arange(len(offsets)), counts)[order]
    return pieces, np.bincount(words, minlength=len(begins))


def first_pieces(begins: np.ndarray, ends: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """(n,) int64, the word whose first piece each one is, -1 for none.

    Of several words that begin in one piece it is the last; arguments as for `pieces_of_words`.
    """
    pieces, counts = pieces_of_words(begins, ends, offsets)
    words = np.flatnonzero(counts)
    result = np.full(len(offsets), -1, dtype=np.int64)
    result[pieces[(np.cumsum(counts) - counts)[words]]] = words
    return result


def word_maxima(rows: np.ndarray, counts: np.ndarray, width: int, values: np.ndarray) -> np.ndarray:
    """The highest value of each word's pieces, when windows may show a word repeatedly.

    Of the windows that show a word, the one counts in which it has more pieces of context on
    its poorer side; the ends of the document are no lack of context. Windows that give it
    equally much all count. So does every part of a word that was cut: it touches the edge of
    each of its windows and has no context in any.

    Args:
        rows: (P,) int64, places of the pieces in the windows of one document laid end to
            end: word after word, in ascending order for each word.
        counts: (T,) int64, how many of these each word has.
        width: places of each window, padding included; more than any of `rows` if there is
            but one window.
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
    np.maximum.at(words, word[starts][kept], np.maximum.reduceat(values, starts)[kept])
    return words
