"""Mixing sources: some more often than they are, some less.

A corpus at hand is rarely what a model is wanted for: much of what was easy to get, little of
what matters. As in the weighting of GPT-3's training text (Brown et al. 2020, table 2.2), a source
with factor 5 is seen five times where others are seen once, and of one with factor 0.4 two
documents in five are kept.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spacy_selectra.corpus.documents import Document
from spacy_selectra.corpus.holdout import text_key, uniform
from spacy_selectra.errors import SelectraError

MOST_COPIES = 1000


@dataclass
class Mixer:
    """Repeats and drops documents by their source, and counts them.

    Attributes:
        factors: of sources, how often each of their documents is written on average.
        default: factor of all other sources.
        seed: of the choice which documents a fraction keeps.
        read: documents of each source that were read.
        written: documents of each source that were passed on, copies included.
    """

    factors: Mapping[str, float]
    default: float = 1.0
    seed: int = 0
    read: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for name, factor in [*self.factors.items(), ("default", self.default)]:
            if not 0.0 <= factor <= MOST_COPIES:
                raise SelectraError(
                    f"factor of {name} must be between 0 and {MOST_COPIES} (found {factor})"
                )

    def mix(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The documents to train on; copies of one follow each other.

        Raises:
            SelectraError: at the end, if a source with a factor of its own did not occur.
        """
        yield from self.process(documents)
        self.check()

    def process(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The same of a part of them."""
        for document in documents:
            copies = self._copies(document)
            self.read[document.source] += 1
            self.written[document.source] += copies
            for _ in range(copies):
                yield document

    def check(self) -> None:
        """Look at what was read.

        Raises:
            SelectraError: a source with a factor of its own did not occur.
        """
        for name in self.factors:
            if name not in self.read:
                known = ", ".join(sorted(self.read)[:30])
                raise SelectraError(f"no document of source '{name}' (found: {known})")

    def counts(self) -> dict[str, Any]:
        """What was counted so far, as JSON values."""
        return {"read": dict(self.read), "written": dict(self.written)}

    def resume(self, counts: Mapping[str, Any], written: Iterable[Document]) -> None:
        """Go on where another one was; what it has written does not matter."""
        self.read, self.written = Counter(counts["read"]), Counter(counts["written"])

    def _copies(self, document: Document) -> int:
        factor = self.factors.get(document.source, self.default)
        whole = math.floor(factor)
        if factor == whole:
            return whole
        return whole + (uniform(text_key(document.text), "mix", self.seed) < factor - whole)


def parse_factors(given: Sequence[str]) -> dict[str, float]:
    """["news=5", "laws=0.4"] as numbers by source.

    Raises:
        SelectraError: not of that form, or a source named twice.
    """
    factors: dict[str, float] = {}
    for item in given:
        name, _, number = item.rpartition("=")
        if name in factors:
            raise SelectraError(f"source '{name}' has two factors")
        try:
            factors[name] = float(number)
        except ValueError:
            name = ""
        if not name:
            raise SelectraError(f"'{item}' is not of the form SOURCE=FACTOR, such as news=5")
    return factors
