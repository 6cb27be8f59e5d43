"""A small n-gram language model, for the perplexity of texts under a reference text.

Words are lower-cased. Counts are in hash tables of fixed size, so memory does not depend on the
reference. Probabilities are smoothed with a Dirichlet prior from the next shorter context (MacKay
and Peto 1995, "A hierarchical Dirichlet language model", equation 19 applied recursively):

    p(w | h) = (c(h w) + k p(w | h')) / (c(h) + k)

c is a count, h' is h without its first word, and k is the strength of the prior. The shortest
distribution is uniform over the V slots of a table, p = 1 / V. Hash collisions make rare n-grams
look slightly more frequent than they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import blake2b

import numpy as np

from spacy_selectra.errors import SelectraError

_TOKEN = re.compile(r"\w+|[^\w\s]")
_MIX = np.uint64(0x9E3779B97F4A7C15)  # odd, golden ratio: Fibonacci hashing (Knuth, TAOCP 3, 6.4)
_CACHE_SIZE = 1 << 20


class NgramModel:
    """Counts n-grams and scores texts.

    Args:
        order: longest n-gram in words (BERTIN's model was a 5-gram; 3 fits small references).
        bits: each order has 2**bits counters of 4 bytes.
        prior: k of the formula, in observations.
    """

    def __init__(self, order: int = 3, bits: int = 22, prior: float = 5.0) -> None:
        if order < 1 or not 8 <= bits <= 30 or prior <= 0:
            raise SelectraError("an n-gram model needs order >= 1, 8 <= bits <= 30 and prior > 0")
        self.order, self.bits, self.prior = order, bits, prior
        self.words = 0
        self._grams = [np.zeros(1 << bits, np.uint32) for _ in range(order)]
        self._contexts = [np.zeros(1 << bits, np.uint32) for _ in range(order - 1)]
        self._codes: dict[str, int] = {}

    def train(self, texts: Iterable[str]) -> None:
        """Add the n-grams of texts.

        Raises:
            SelectraError: there are no words in them.
        """
        for text in texts:
            codes = self._encode(text)
            self.words += len(codes)
            for length in range(1, self.order + 1):
                grams, contexts = self._places(codes, length)
                np.add.at(self._grams[length - 1], grams, 1)
                if length > 1:
                    np.add.at(self._contexts[length - 2], contexts, 1)
        if not self.words:
            raise SelectraError("there are no words in the reference text for the language model")

    def perplexity(self, text: str) -> float:
        """exp of the mean negative log probability of a word; infinite for an empty text."""
        codes = self._encode(text)
        if not len(codes):
            return float("inf")
        probability = np.full(len(codes), 1.0 / (1 << self.bits))
        for length in range(1, self.order + 1):
            grams, contexts = self._places(codes, length)
            joint = self._grams[length - 1][grams].astype(np.float64)
            if length == 1:
                total: np.ndarray | float = float(self.words)
            else:
                total = self._contexts[length - 2][contexts].astype(np.float64)
            # The first words have no context of this length and keep the shorter estimate.
            shorter = probability[length - 1 :]
            probability[length - 1 :] = (joint + self.prior * shorter) / (total + self.prior)
        return float(np.exp(-np.log(probability).mean()))

    def _encode(self, text: str) -> np.ndarray:
        if len(self._codes) > _CACHE_SIZE:
            self._codes.clear()
        cache = self._codes
        codes: list[int] = []
        for word in _TOKEN.findall(text.lower()):
            code = cache.get(word)
            if code is None:
                code = int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little")
                cache[word] = code
            codes.append(code)
        return np.array(codes, dtype=np.uint64)

    def _places(self, codes: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Slots of all n-grams of `length` and of their contexts in the hash tables."""
        count = max(0, len(codes) - length + 1)
        mixed = np.zeros(count, dtype=np.uint64)
        context = mixed
        for place in range(length):
            context = mixed
            mixed = (mixed ^ codes[place : place + count]) * _MIX
            mixed ^= mixed >> np.uint64(29)
        shift = np.uint64(64 - self.bits)
        return ((mixed * _MIX) >> shift).astype(np.int64), ((context * _MIX) >> shift).astype(
            np.int64
        )
