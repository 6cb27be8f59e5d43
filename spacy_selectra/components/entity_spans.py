"""Entities of documents: which words can be part of one, and where probabilities are stored."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from spacy import displacy
from spacy.attrs import ENT_IOB, ENT_TYPE, IDX, IS_ALPHA, LENGTH, SENT_START
from spacy.tokens import Doc, Span, SpanGroup

from spacy_selectra.components.checked import is_share, own_extension
from spacy_selectra.text.boundaries import SEPARATOR, SPACED, after_boundaries, separates
from spacy_selectra.text.entity_probabilities import Reading

# `Token.ent_iob` of the first word of an entity, or of a blocked word, which has no type.
_BLOCKED = 3
_INSIDE = 1  # of the other words

# Extension attribute of spans with their probability.
_SCORE = "score"

# Boundaries that entities do not cross. "auto": sentence starts, paragraphs, table cells and list
# items; "sentences": sentence starts; "lines": as "auto", and every line break; "none".
BOUNDARIES = ("auto", "sentences", "lines", "none")


class FoundEntities(NamedTuple):
    """Entities found in a document, as (start, end, type), with optional probabilities, and
    alternatives."""

    entities: list[tuple[int, int, int]]
    probabilities: list[float] | None
    others: list[Reading]

    @classmethod
    def of(
        cls,
        places: np.ndarray,
        found: list[tuple[int, int, int]],
        probabilities: np.ndarray | None,
        others: list[Reading],
    ) -> FoundEntities:
        """From entities whose bounds are indices into `places`, not into the document."""
        entities = [(int(places[b]), int(places[e - 1]) + 1, kind) for b, e, kind in found]
        readings = [
            r._replace(start=int(places[r.start]), end=int(places[r.end - 1]) + 1) for r in others
        ]
        return cls(entities, None if probabilities is None else probabilities.tolist(), readings)


def readable(doc: Doc) -> np.ndarray:
    """(n,) bool: words with visible characters. The encoder has no pieces for white space and
    control characters."""
    return _looked_at(doc).seen


class _Look(NamedTuple):
    """Features of a word without context: it has visible characters; it is a separator, or one if
    between spaces; it is a short number, which is not an entity by itself; it may be structure,
    as white space or with a separator."""

    seen: bool
    separates: bool
    spaced: bool
    number: bool
    structure: bool


@lru_cache(maxsize=4096)
def _look(text: str) -> _Look:
    spaced = SPACED.fullmatch(text) is not None
    found = spaced or SEPARATOR.search(text) is not None
    return _Look(
        seen=any(map(_is_seen, text)),
        separates=separates(text),
        spaced=spaced,
        number=text.isdigit() and len(text) <= 3,
        structure=found or not text or any(map(str.isspace, text)),
    )


class _Words(NamedTuple):
    """Masks of words that are visible, separators and short numbers, each (n,) bool; and whether
    there may be structure."""

    seen: np.ndarray
    separate: np.ndarray
    numbers: np.ndarray
    structure: bool


def _looked_at(doc: Doc) -> _Words:
    seen = doc.to_array(IS_ALPHA) == 1  # fast path: words with only letters are visible
    separate, numbers = np.zeros((2, len(doc)), dtype=bool)
    structure = False
    for place in np.flatnonzero(~seen).tolist():
        look = _look(doc[place].text)
        seen[place], numbers[place] = look.seen, look.number
        separate[place] = look.separates or (look.spaced and _between_spaces(doc, place))
        structure |= look.structure
    return _Words(seen, separate, numbers, structure)


def _between_spaces(doc: Doc, place: int) -> bool:
    before = place == 0 or bool(doc[place - 1].whitespace_) or doc[place - 1].is_space
    last = place + 1 == len(doc)
    return before and (last or bool(doc[place].whitespace_) or doc[place + 1].is_space)


def readable_words(
    docs: Sequence[Doc], bounds: str, keep: bool = False
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Words that can be part of entities, and boundaries between them.

    Args:
        docs: documents.
        bounds: one of `BOUNDARIES`.
        keep: include words of existing entities and blocked words.

    Returns:
        The indices of readable words per document; the (T,) index of each among the words of all
        documents; and which of the T words follow a boundary.
    """
    looks = bounds in ("auto", "lines")
    places, rows, firsts = [], [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    start = size = 0
    for doc in docs:
        words = _looked_at(doc)
        taken = np.zeros(len(doc), dtype=bool) if keep else _taken(doc)
        left_out = taken | words.separate if looks else taken
        own = np.flatnonzero(words.seen & ~left_out)
        apart = _behind_boundaries(doc, own, bounds, taken, words.structure)
        if looks and apart.any():
            names = ~(apart & np.append(apart[1:], True) & words.numbers[own])
            own, apart = own[names], apart[names]
        places.append(own)
        rows.append(own + start)
        firsts.append(np.flatnonzero(apart) + size)
        start, size = start + len(doc), size + len(own)
    return places, np.concatenate(rows), np.concatenate(firsts)


def _taken(doc: Doc) -> np.ndarray:
    """(n,) bool: words of entities, and blocked words (`blocked` of `doc.set_ents`)."""
    bounds = doc.to_array(ENT_IOB)
    return (bounds == _INSIDE) | (bounds == _BLOCKED)


def _behind_boundaries(
    doc: Doc, places: np.ndarray, bounds: str, taken: np.ndarray, structure: bool
) -> np.ndarray:
    """(n,) bool: whether there is a boundary or a `taken` word between each word of `places` and
    the one before it.

    Without `structure` there are only words, punctuation and single spaces, so that sentence starts
    are the only boundaries.
    """
    apart = np.zeros(len(places), dtype=bool)
    if not len(places):
        return apart
    starts = taken if bounds == "none" else taken | (doc.to_array(SENT_START) == 1)
    if starts[1:].any():
        parts = np.cumsum(starts)[places]
        apart = np.diff(parts, prepend=parts[0]) > 0
    if structure and bounds in ("auto", "lines"):
        begins = doc.to_array(IDX).astype(np.int64)[places]
        ends = begins + doc.to_array(LENGTH).astype(np.int64)[places]
        apart |= after_boundaries(doc.text, begins, ends, every_line=bounds == "lines")
    return apart


def _is_seen(char: str) -> bool:
    return char.isprintable() and not char.isspace() and char != "\ufffd"


def blocked_words(doc: Doc) -> list[Span]:
    """Words that must not be part of entities (`blocked` of `doc.set_ents`)."""
    bounds, types = doc.to_array([ENT_IOB, ENT_TYPE]).reshape(-1, 2).T
    places = np.flatnonzero((bounds == _BLOCKED) & (types == 0))
    return [doc[place : place + 1] for place in places.tolist()]


def set_scores(doc: Doc, key: str, entities: list[Span], probabilities: list[float]) -> None:
    """Store the probability of each entity in `ent._.score` and, like `spancat`, in a span group.

    Call `claim_score` first.
    """
    for entity, probability in zip(entities, probabilities, strict=True):
        doc.user_data[_score_key(entity)] = probability
    doc.spans[key] = _group(doc, key, entities, probabilities)


def claim_score() -> None:
    """Register `Span._.score`, or check that it is registered compatibly.

    Raises:
        SelectraError: it is registered with a getter, setter or method.
    """
    own_extension(Span, _SCORE, None)


def score_of(entity: Span) -> float | None:
    """The probability of an entity from `selectra_ner`, or None."""
    score: Any = entity.doc.user_data.get(_score_key(entity))
    return float(score) if is_share(score) else None


def _score_key(entity: Span) -> Any:
    """spaCy's key for `entity._.score` in `doc.user_data`; access through `entity._` takes ten
    times as long."""
    return "._.", _SCORE, entity.start_char, entity.end_char


def displacy_entities(doc: Doc) -> dict[str, Any]:
    """Entities with their scores, for displaCy.

        displacy.render(displacy_entities(doc), style="ent", manual=True)

    Args:
        doc: a document annotated by `selectra_ner` with `scores`.

    Returns:
        Input for `displacy.render` with `manual=True`; the score replaces the knowledge base id
        beside the label.
    """
    data = displacy.parse_ents(doc)
    for entity, drawn in zip(doc.ents, data["ents"], strict=True):
        if (score := score_of(entity)) is not None:
            drawn["kb_id"] = f"{score:.2f}"
    return data


def set_alternatives(
    doc: Doc, key: str, labels: Sequence[str], readings: list[Reading], entities: list[Span]
) -> None:
    """Store alternatives that are not among the entities in the group `key` + "_alternatives"."""
    chosen = {(entity.start, entity.end, entity.label_) for entity in entities}
    left = [r for r in readings if (r.start, r.end, labels[r.kind]) not in chosen]
    spans = [Span(doc, r.start, r.end, label=labels[r.kind]) for r in left]
    name = f"{key}_alternatives"
    doc.spans[name] = _group(doc, name, spans, [r.probability for r in left])


def _group(doc: Doc, name: str, spans: list[Span], scores: list[float]) -> SpanGroup:
    return SpanGroup(doc, name=name, spans=spans, attrs={"scores": scores})
