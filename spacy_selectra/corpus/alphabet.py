"""Counting the characters of a corpus as WordPiece sees them: first in a word, or inside one."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from tokenizers import Tokenizer

_BATCH = 1 << 21  # characters counted at a time
_OUTSIDE, _ISOLATED, _INSIDE, _UNKNOWN = 0, 1, 2, 255


class AlphabetCounter:
    """Counts characters at the start and inside of words, in constant memory.

    Args:
        tokenizer: its normaliser and pre-tokeniser decide what a word is.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._kinds = np.full(0x110000, _UNKNOWN, dtype=np.uint8)
        self._initial = np.zeros(0x110000, dtype=np.int64)
        self._inside = np.zeros(0x110000, dtype=np.int64)
        self._pending: list[str] = []
        self._pending_size = 0

    def add(self, text: str) -> None:
        """Count a text."""
        self._pending.append(text)
        self._pending_size += len(text)
        if self._pending_size >= _BATCH:
            self._flush()

    def initial(self) -> dict[str, int]:
        """Character -> how many words (or isolated signs) start with it."""
        self._flush()
        return {chr(i): int(self._initial[i]) for i in np.flatnonzero(self._initial)}

    def inside(self) -> dict[str, int]:
        """Character -> how often it stands in a word after its first character."""
        self._flush()
        return {chr(i): int(self._inside[i]) for i in np.flatnonzero(self._inside)}

    def _flush(self) -> None:
        if not self._pending:
            return
        normalizer = self._tokenizer.normalizer
        assert normalizer is not None
        text = " ".join(normalizer.normalize_str(text) for text in self._pending) + " "
        self._pending, self._pending_size = [], 0
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        kinds = self._kinds[codes]
        if (kinds == _UNKNOWN).any():
            self._classify(np.unique(codes[kinds == _UNKNOWN]))
            kinds = self._kinds[codes]
        follows = np.zeros(len(codes), dtype=bool)
        follows[1:] = (kinds[1:] == _INSIDE) & (kinds[:-1] == _INSIDE)
        starts = (kinds != _OUTSIDE) & ~follows
        for counts, where in ((self._initial, starts), (self._inside, follows)):
            values, numbers = np.unique(codes[where], return_counts=True)
            counts[values] += numbers

    def _classify(self, codes: Iterable[int]) -> None:
        pre_tokenizer = self._tokenizer.pre_tokenizer
        assert pre_tokenizer is not None
        for code in codes:
            words = [word for word, _ in pre_tokenizer.pre_tokenize_str(f"a{chr(code)}a")]
            kinds = {1: _INSIDE, 2: _OUTSIDE, 3: _ISOLATED}
            self._kinds[code] = kinds[len(words)]
