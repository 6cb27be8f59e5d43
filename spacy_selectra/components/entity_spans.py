"""Entities on documents: which words can be part of one, and where probabilities are written."""

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

# What `Token.ent_iob` is of the first word of an entity, or of a blocked word, which has no type.
_BLOCKED = 3
_INSIDE = 1  # and of its other words

# The attribute of spans that holds their probability.
_SCORE = "score"

# What entities do not reach over: sentence starts that are set, paragraphs, cells and lines that
# look like items; sentence starts only; the former and every line break; nothing.
BOUNDARIES = ("auto", "sentences", "lines", "none")


class FoundEntities(NamedTuple):
    """What was found in a document: (first word, the one after the last, type) of each entity,
    their probabilities if they were asked for, and other readings."""

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
        """From entities among the words at `places`, numbered as if there were no others."""
        entities = [(int(places[b]), int(places[e - 1]) + 1, kind) for b, e, kind in found]
        readings = [
            r._replace(start=int(places[r.start]), end=int(places[r.end - 1]) + 1) for r in others
        ]
        return cls(entities, None if probabilities is None else probabilities.tolist(), readings)


def readable(doc: Doc) -> np.ndarray:
    """(n,) bool: words of which there is something to read, unlike white space and control
    characters, of which the encoder reads nothing."""
    return _looked_at(doc).seen


class _Look(NamedTuple):
    """What is to be known of a word by itself: there is something to read; it separates, also
    only between spaces; it is a short number, which is no name where it stands alone; it may be
    structure, as white space or with a separator in it."""

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
    """Of n words which are to be read, separate, and are short numbers, each (n,) bool; and
    whether there may be structure."""

    seen: np.ndarray
    separate: np.ndarray
    numbers: np.ndarray
    structure: bool


def _looked_at(doc: Doc) -> _Words:
    seen = doc.to_array(IS_ALPHA) == 1  # letters are to be read, and are most of the words
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
    """Words that can be read, and where entities end.

    Args:
        docs: documents.
        bounds: one of `BOUNDARIES`.
        keep: words of entities that are there, and words that are ruled out, count as well.

    Returns:
        For each document the places of its readable words; the (T,) place of each of them among
        the words of all documents; and the numbers of those T which no entity goes on into.
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
    """(n,) bool: words of entities, and words that are ruled out (`blocked` of `doc.set_ents`)."""
    bounds = doc.to_array(ENT_IOB)
    return (bounds == _INSIDE) | (bounds == _BLOCKED)


def _behind_boundaries(
    doc: Doc, places: np.ndarray, bounds: str, taken: np.ndarray, structure: bool
) -> np.ndarray:
    """(n,) bool: which of the words at `places` stand behind a boundary that the word before does
    not, or behind a word that is `taken`.

    Without `structure`, there are only letters, signs and single spaces, hence no boundary but the
    starts of sentences.
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
    """Words that no entity may contain (`blocked` of `doc.set_ents`)."""
    bounds, types = doc.to_array([ENT_IOB, ENT_TYPE]).reshape(-1, 2).T
    places = np.flatnonzero((bounds == _BLOCKED) & (types == 0))
    return [doc[place : place + 1] for place in places.tolist()]


def set_scores(doc: Doc, key: str, entities: list[Span], probabilities: list[float]) -> None:
    """Write the probability of each entity, as `ent._.score` and as `spancat` does.

    `claim_score` must have been called before.
    """
    for entity, probability in zip(entities, probabilities, strict=True):
        doc.user_data[_score_key(entity)] = probability
    doc.spans[key] = _group(doc, key, entities, probabilities)


def claim_score() -> None:
    """See that `Span._.score` is registered, and that reading it gives what `set_scores` writes.

    Raises:
        SelectraError: it does not.
    """
    own_extension(Span, _SCORE, None)


def score_of(entity: Span) -> float | None:
    """The probability that `selectra_ner` gave to an entity; None if it gave none."""
    score: Any = entity.doc.user_data.get(_score_key(entity))
    return float(score) if is_share(score) else None


def _score_key(entity: Span) -> Any:
    """Where in `doc.user_data`, whose keys are not all strings, spaCy keeps `entity._.score`; to
    go through `entity._` takes ten times as long."""
    return "._.", _SCORE, entity.start_char, entity.end_char


def displacy_entities(doc: Doc) -> dict[str, Any]:
    """Entities with their scores, to be drawn by displaCy.

        displacy.render(displacy_entities(doc), style="ent", manual=True)

    Args:
        doc: a document that `selectra_ner` has read with `scores`.

    Returns:
        What `displacy.render` takes with `manual=True`; where the id in a knowledge base would
        stand, beside the label, there is the score.
    """
    data = displacy.parse_ents(doc)
    for entity, drawn in zip(doc.ents, data["ents"], strict=True):
        if (score := score_of(entity)) is not None:
            drawn["kb_id"] = f"{score:.2f}"
    return data


def set_alternatives(
    doc: Doc, key: str, labels: Sequence[str], readings: list[Reading], entities: list[Span]
) -> None:
    """List the readings that are not among the entities, in the group `key` + "_alternatives"."""
    chosen = {(entity.start, entity.end, entity.label_) for entity in entities}
    left = [r for r in readings if (r.start, r.end, labels[r.kind]) not in chosen]
    spans = [Span(doc, r.start, r.end, label=labels[r.kind]) for r in left]
    name = f"{key}_alternatives"
    doc.spans[name] = _group(doc, name, spans, [r.probability for r in left])


def _group(doc: Doc, name: str, spans: list[Span], scores: list[float]) -> SpanGroup:
    return SpanGroup(doc, name=name, spans=spans, attrs={"scores": scores})
