"""Where to cut a document that is longer than the encoder reads."""

from __future__ import annotations

import numpy as np

# A cut may move this share of a window away from the even cut to fall between sentences.
_SLACK = 1 / 8

_SENTENCE_END = frozenset(".!?…\n")


def cut_evenly(offsets: np.ndarray, text: str, limit: int) -> list[tuple[int, int]]:
    """Share out pieces over as few parts of at most `limit` as possible, of nearly equal size.

    Args:
        offsets: (n, 2) characters of the pieces in `text`.
        text: what was tokenized.
        limit: most pieces of a part.

    Returns:
        First piece of each part and the one after its last.
    """
    total = len(offsets)
    parts: list[tuple[int, int]] = []
    begin = 0
    while total - begin > limit:
        remaining = total - begin
        even = begin + -(-remaining // -(-remaining // limit))
        end = _best_cut(offsets, text, begin, even, min(begin + limit, total - 1))
        parts.append((begin, end))
        begin = end
    parts.append((begin, total))
    return parts


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
