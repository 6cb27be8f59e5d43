"""Deduplication: dropping documents or paragraphs that are copies or near copies of earlier ones.

Documents are compared in order, and the first copy is kept. A text is compared only with texts that
were kept, so a chain of small changes ends where a text differs enough from the first.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, get_args

from spacy_selectra.corpus.documents import Document, batches
from spacy_selectra.corpus.duplicates.signatures import (
    SignatureSettings,
    Sketch,
    Sketcher,
    SketchIndex,
    Twin,
)
from spacy_selectra.corpus.shingles import words_of
from spacy_selectra.errors import SelectraError
from spacy_selectra.util.workers import Engine

Unit = Literal["documents", "paragraphs"]
UNITS: tuple[Unit, ...] = get_args(Unit)


@dataclass(frozen=True)
class DedupSettings:
    """Settings of deduplication.

    Attributes:
        unit: compare whole documents, or paragraphs (lines).
        min_words: shortest paragraph that is compared. CCNet drops every repeated line (Wenzek et
            al. 2020, section 3.1), which loses headings, names of speakers and answers such as
            «Sí, señor.».
        signatures: when two texts are near copies.
    """

    unit: Unit = "documents"
    min_words: int = 10
    signatures: SignatureSettings = field(default_factory=SignatureSettings)

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise SelectraError(f"unknown unit '{self.unit}' (known: {', '.join(UNITS)})")
        if self.min_words < 0:
            raise SelectraError(f"min_words must be at least 0 (found {self.min_words})")


@dataclass
class SourceCounts:
    """Counts of documents or paragraphs of a source.

    Attributes:
        read: compared.
        exact: dropped as copies.
        near: dropped as near copies.
    """

    read: int = 0
    exact: int = 0
    near: int = 0


@dataclass(frozen=True)
class DocumentSketch:
    """Sketches of a document: a single one, or one per line; None for lines not compared."""

    parts: list[Sketch | None]


class DocumentSketcher:
    """Makes sketches of documents; can run in workers."""

    def __init__(self, settings: DedupSettings) -> None:
        self._settings = settings
        self._sketcher = Sketcher(settings.signatures)

    def __call__(self, documents: list[Document]) -> list[DocumentSketch]:
        """Make sketches of documents."""
        return [DocumentSketch(self._parts(document.text)) for document in documents]

    def _parts(self, text: str) -> list[Sketch | None]:
        if self._settings.unit == "documents":
            return [self._sketcher.sketch(text)]
        return [self._part(line) for line in text.split("\n")]

    def _part(self, line: str) -> Sketch | None:
        words = words_of(line)
        return None if len(words) < self._settings.min_words else self._sketcher.sketch(line, words)


class Deduplicator:
    """Drops copies and near copies from a stream of documents and counts them by source.

    Args:
        settings: settings of deduplication.
        dropped: called with a record (JSON values) of each dropped document or paragraph: its
            `id`, `source` and, for paragraphs, `paragraph` (counted from 1), the same of the text
            it repeats, and their `resemblance`. This takes about 150 bytes of memory for each
            text that is kept.

    Attributes:
        read: number of documents read.
        kept: number of documents kept, whole or in part.
        sources: counts by source.
    """

    def __init__(
        self,
        settings: DedupSettings | None = None,
        dropped: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self.settings = settings or DedupSettings()
        self.read = self.kept = 0
        self.sources: dict[str, SourceCounts] = {}
        self._dropped = dropped
        self._index = SketchIndex(self.settings.signatures)
        self._places: list[tuple[str, str, int]] = []

    def deduplicate(
        self, documents: Iterable[Document], engine: Engine | None = None
    ) -> Iterator[Document]:
        """The documents that are kept, without dropped paragraphs.

        Args:
            documents: the documents.
            engine: processes that make the sketches; the result does not depend on it.
        """
        make = partial(DocumentSketcher, self.settings)
        with (engine or Engine()).workers(make) as workers:
            for batch, sketches in workers.results(batches(documents)):
                for document, sketch in zip(batch, sketches, strict=True):
                    kept = self._decide(document, sketch)
                    if kept is not None:
                        yield kept

    @property
    def dropped(self) -> Counter[str]:
        """Number of documents or paragraphs dropped, by `exact` and `near`."""
        counts = self.sources.values()
        return Counter(exact=sum(c.exact for c in counts), near=sum(c.near for c in counts))

    def _decide(self, document: Document, sketch: DocumentSketch) -> Document | None:
        self.read += 1
        repeated = [self._is_repeated(document, n, part) for n, part in enumerate(sketch.parts, 1)]
        if self.settings.unit == "documents":
            kept = None if repeated[0] else document
        else:
            kept = self._rest(document, sketch, repeated)
        self.kept += kept is not None
        return kept

    def _rest(
        self, document: Document, sketch: DocumentSketch, repeated: list[bool]
    ) -> Document | None:
        if not any(repeated):
            return document
        rows = zip(document.text.split("\n"), sketch.parts, repeated, strict=True)
        left = [(line, part) for line, part, gone in rows if not gone]
        # short lines such as headings are useless without their paragraphs
        if all(part is None for _, part in left):
            return None
        return replace(document, text="\n".join(line for line, _ in left))

    def _is_repeated(self, document: Document, paragraph: int, part: Sketch | None) -> bool:
        if part is None:
            return False
        counts = self.sources.setdefault(document.source, SourceCounts())
        counts.read += 1
        twin = self._index.find(part)
        if twin is None:
            self._index.add(part)
            if self._dropped is not None:
                self._places.append((sys.intern(document.source), document.id, paragraph))
            return False
        if twin.exact:
            counts.exact += 1
        else:
            counts.near += 1
        if self._dropped is not None:
            self._dropped(self._record(document, paragraph, twin))
        return True

    def _record(self, document: Document, paragraph: int, twin: Twin) -> dict[str, Any]:
        place = (document.source, document.id, paragraph)
        return {
            **self._names(*place),
            "twin": self._names(*self._places[twin.number]),
            "resemblance": round(twin.resemblance, 3),
            "exact": twin.exact,
        }

    def _names(self, source: str, identity: str, paragraph: int) -> dict[str, Any]:
        names: dict[str, Any] = {"source": source, "id": identity}
        if self.settings.unit == "paragraphs":
            names["paragraph"] = paragraph
        return names
