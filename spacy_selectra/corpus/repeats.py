"""How much of a document has been read before, in documents that need not be copies of it.

Broder 1997, "On the resemblance and containment of documents": a text is its set of shingles
(runs of words), and a fixed sixteenth of all shingles, chosen by their hash, is enough to
estimate which part of the set has occurred before.
"""

from __future__ import annotations

import re
import zlib

import numpy as np

WORDS = 8  # of a shingle
ONE_IN = 16  # shingles that are looked at
LEAST = 4  # of these in a document; one with fewer is too short to tell

_WORD = re.compile(r"\w+")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd, of no pattern: 2^64 over the golden ratio


def shingles(text: str) -> list[int]:
    """64-bit hashes of the sampled runs of eight words; case and punctuation make no difference."""
    words = [zlib.crc32(word.encode()) for word in _WORD.findall(text.casefold())]
    count = len(words) - WORDS + 1
    if count < 1:
        return []
    codes = np.array(words, np.uint64)
    hashes = np.zeros(count, np.uint64)
    for place in range(WORDS):
        hashes = (hashes + codes[place : place + count]) * _MULTIPLIER
    hashes ^= hashes >> np.uint64(32)
    hashes *= _MULTIPLIER
    # The low bits of a product depend on the low bits of its factors only: choose by high ones.
    return np.unique(hashes[hashes >> np.uint64(60) == 0]).tolist()


class Repeats:
    """Remembers the shingles of documents: about 5 bytes of memory a word of text."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def share(self, text: str) -> float:
        """The share of a text's shingles seen in earlier ones, 0 to 1; 0 if it is too short.

        The text itself is not remembered: call `add` if it is kept.
        """
        found = shingles(text)
        if len(found) < LEAST:
            return 0.0
        return sum(one in self._seen for one in found) / len(found)

    def add(self, text: str) -> None:
        """Remember a text."""
        self._seen.update(shingles(text))
