"""Cutting the pieces of a text that is longer than the encoder reads into windows."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

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
