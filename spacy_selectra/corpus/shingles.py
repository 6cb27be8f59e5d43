"""Shingles: the runs of words of a text as 64-bit hashes.

Broder 1997, "On the resemblance and containment of documents", sections 2 and 3: two texts
resemble each other as far as their sets of shingles overlap.
"""

from __future__ import annotations

import re
import zlib

import numpy as np

_WORD = re.compile(r"\w+")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd, of no pattern: 2^64 over the golden ratio


def words_of(text: str) -> list[str]:
    """The words of a text; case and punctuation make no difference."""
    return _WORD.findall(text.casefold())


def shingle_hashes(words: list[str], width: int) -> np.ndarray:
    """Hashes of the runs of `width` words, uint64, shape (runs,), in their order.

    They depend on nothing but the words. A text of fewer words has none.
    """
    count = len(words) - width + 1
    if count < 1:
        return np.zeros(0, np.uint64)
    codes = np.array([zlib.crc32(word.encode()) for word in words], np.uint64)
    hashes = np.zeros(count, np.uint64)
    for place in range(width):
        hashes = (hashes + codes[place : place + count]) * _MULTIPLIER
    hashes ^= hashes >> np.uint64(32)
    hashes *= _MULTIPLIER
    return hashes
