"""Shingles: the word n-grams of a text as 64-bit hashes.

Broder 1997, "On the resemblance and containment of documents", sections 2 and 3: the overlap of
their sets of shingles measures how much two texts resemble each other.
"""

from __future__ import annotations

import re
import zlib

import numpy as np

_WORD = re.compile(r"\w+")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd, 2^64 over the golden ratio: Fibonacci hashing


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case and without punctuation."""
    return _WORD.findall(text.casefold())


def shingle_hashes(words: list[str], width: int) -> np.ndarray:
    """Hashes of all n-grams of `width` words, uint64, shape (n-grams,), in order.

    They depend on the words only. A text with fewer words has none.
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
