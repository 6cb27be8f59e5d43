"""Entities on documents: which words can be part of one, and where probabilities are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from spacy.attrs import IDX, LENGTH, SENT_START
from spacy.tokens import Doc, Span, SpanGroup, Token

from spacy_selectra.components.checked import own_extension
from spacy_selectra.text.boundaries import SEPARATORS, after_boundaries
from spacy_selectra.text.entity_probabilities import Reading

# What `Token.ent_iob` is of the first word of an entity, or of a blocked word, which has no type.
_BLOCKED = 3

# What entities do not reach over: sentence starts that are set, paragraphs, cells and lines that
# look like items; sentence starts only; the former and every line break; nothing.
BOUNDARIES = ("auto", "sentences", "lines", "none")


class FoundEntities(NamedTuple):
    """What was found in a document: (first word, the one after the last, type) of each entity,
    their (n,) probabilities if they were asked for, and other readings."""

    entities: list[tuple[int, int, int]]
    probabilities: np.ndarray | None
    others: list[Reading]

    @classmethod
    def of(
        cls,
        places: np.ndarray,
        found: list[tuple[int, int, int]],
        probabilities: np.ndarray | None,
        others: list[Reading],
    ) -> FoundEntities:
        """From entities among the words at `places`, numbered as if there were no others."""
        entities = [(int(places[b]), int(places[e - 1]) + 1, kind) for b, e, kind in found]
        readings = [
            r._replace(start=int(places[r.start]), end=int(places[r.end - 1]) + 1) for r in others
        ]
        return cls(entities, probabilities, readings)


def readable(doc: Doc) -> np.ndarray:
    """(n,) bool: words of which there is something to read, unlike white space and control
    characters, of which the encoder reads nothing."""
    return np.array([any(map(_is_seen, word.text)) for word in doc], dtype=bool)


def readable_words(
    docs: Sequence[Doc], bounds: str
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Words that can be read, and where entities end.

    Args:
        docs: documents.
        bounds: one of `BOUNDARIES`.

    Returns:
        For each document the places of its readable words; the (T,) place of each of them among
        the words of all documents; and the numbers of those T which no entity goes on into.
    """
    seen = [readable(doc) for doc in docs]
    if bounds in ("auto", "lines"):
        for own, doc in zip(seen, docs, strict=True):
            for word in doc:
                if SEPARATORS.issuperset(word.text):
                    own[word.i] = False
    places = [np.flatnonzero(own) for own in seen]
    starts = np.cumsum([0, *map(len, docs)])[:-1]
    sizes = np.cumsum([0, *map(len, places)])[:-1]
    empty = np.zeros(0, dtype=np.int64)
    rows = [own + start for own, start in zip(places, starts, strict=True)]
    firsts = [
        _new_beginnings(doc, own, bounds) + size
        for doc, own, size in zip(docs, places, sizes, strict=True)
    ]
    return places, np.concatenate([empty, *rows]), np.concatenate([empty, *firsts])


def _new_beginnings(doc: Doc, places: np.ndarray, bounds: str) -> np.ndarray:
    """Which of the words at `places` stand behind a boundary that the word before does not."""
    if bounds == "none" or not len(places):
        return np.zeros(0, dtype=np.int64)
    sentences = np.cumsum(doc.to_array(SENT_START) == 1)[places]
    apart = np.diff(sentences, prepend=sentences[0]) > 0
    if bounds != "sentences":
        begins = doc.to_array(IDX).astype(np.int64)[places]
        ends = begins + doc.to_array(LENGTH).astype(np.int64)[places]
        apart |= after_boundaries(doc.text, begins, ends, every_line=bounds == "lines")
    return np.flatnonzero(apart)


def _is_seen(char: str) -> bool:
    return char.isprintable() and not char.isspace() and char != "\ufffd"


def is_blocked(word: Token) -> bool:
    """Whether no entity may contain the word (`blocked` of `doc.set_ents`)."""
    return word.ent_iob == _BLOCKED and not word.ent_type


def set_scores(doc: Doc, key: str, entities: list[Span], probabilities: Sequence[float]) -> None:
    """Write the probability of each entity, as `ent._.score` and as `spancat` does."""
    own_extension(Span, "score", None)
    for entity, probability in zip(entities, probabilities, strict=True):
        entity._.score = probability
    doc.spans[key] = _group(doc, key, entities, probabilities)


def set_alternatives(
    doc: Doc, key: str, labels: Sequence[str], readings: list[Reading], entities: list[Span]
) -> None:
    """List the readings that are not among the entities, in the group `key` + "_alternatives"."""
    chosen = {(entity.start, entity.end, entity.label_) for entity in entities}
    left = [r for r in readings if (r.start, r.end, labels[r.kind]) not in chosen]
    spans = [Span(doc, r.start, r.end, label=labels[r.kind]) for r in left]
    name = f"{key}_alternatives"
    doc.spans[name] = _group(doc, name, spans, [r.probability for r in left])


def _group(doc: Doc, name: str, spans: list[Span], scores: Sequence[float]) -> SpanGroup:
    return SpanGroup(doc, name=name, spans=spans, attrs={"scores": list(scores)})
