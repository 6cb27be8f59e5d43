"""Mixing: repeating the documents of some sources and sampling those of others.

A corpus often has too much text that is easy to get and too little that matters for the model. As
for GPT-3 (Brown et al. 2020, table 2.2), each source has a factor: with 5 its documents are
repeated five times, with 0.4 two in five are kept.
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
        factors: by source, how many times a document is written on average.
        default: factor of all other sources.
        seed: of the choice of documents for fractions.
        read: number of documents read, by source.
        written: number of documents written, copies included, by source.
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
        """The documents to train on; copies of a document are consecutive.

        Raises:
            SelectraError: at the end, if a source in `factors` did not occur.
        """
        yield from self.process(documents)
        self.check()

    def process(self, documents: Iterable[Document]) -> Iterator[Document]:
        """As `mix`, for a part of the documents and without the check."""
        for document in documents:
            copies = self._copies(document)
            self.read[document.source] += 1
            self.written[document.source] += copies
            for _ in range(copies):
                yield document

    def check(self) -> None:
        """Check that all sources in `factors` occurred.

        Raises:
            SelectraError: one did not.
        """
        for name in self.factors:
            if name not in self.read:
                known = ", ".join(sorted(self.read)[:30])
                raise SelectraError(f"no document of source '{name}' (found: {known})")

    def counts(self) -> dict[str, Any]:
        """The counts so far, as JSON values."""
        return {"read": dict(self.read), "written": dict(self.written)}

    def resume(self, counts: Mapping[str, Any], written: Iterable[Document]) -> None:
        """Restore the counts of an earlier mixer; `written` is not needed."""
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
        SelectraError: another form, or a source with two factors.
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
