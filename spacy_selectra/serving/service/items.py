"""Annotation of items in the service's thread: texts with different options, in one batch."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from spacy_selectra.errors import SelectraError
from spacy_selectra.serving.records import (
    ZERO_SHOT,
    describe,
    made_by,
    rounded,
    zero_shot_component,
)
from spacy_selectra.serving.service.limits import Refusal

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

    from spacy_selectra.serving.service.schema import AnnotationRequest

TAGGER = "selectra_ner"
DETECTOR = "selectra_replaced"
TRANSFORMER = "transformer"


@dataclass(frozen=True)
class ZeroShot:
    """Zero-shot labels and options of a request; equal ones are scored in one call."""

    labels: tuple[tuple[str, tuple[str, ...]], ...]
    template: str | None
    multi_label: bool | None


@dataclass(frozen=True)
class Item:
    """A text with the options of its request."""

    text: str
    zero_shot: ZeroShot | None
    entity_scores: bool
    sentences: bool
    words: bool


class ItemAnnotator:
    """Annotates batches of items.

    Args:
        nlp: the pipeline; used by one thread only.
    """

    def __init__(self, nlp: Language) -> None:
        from spacy.pipeline import Sentencizer

        self.nlp = nlp
        self._taggers: list[Any] = [nlp.get_pipe(name) for name in made_by(nlp, TAGGER)]
        self._scores = [tagger.scores for tagger in self._taggers]
        self._has_detector = bool(made_by(nlp, DETECTOR))
        self._has_zero_shot = bool(made_by(nlp, ZERO_SHOT))
        self._sentencizer = Sentencizer()
        self._cutting = [
            name
            for name in made_by(nlp, TRANSFORMER)
            if nlp.config["components"][name]["model"].get("get_spans") is not None
        ]

    @property
    def offers(self) -> dict[str, bool]:
        """Which options this pipeline supports."""
        return {
            "labels": self._has_zero_shot,
            "entity_scores": bool(self._taggers),
            "words": self._has_detector,
        }

    def items(self, request: AnnotationRequest) -> list[Item]:
        """The items of a request.

        Raises:
            Refusal: the pipeline does not support an option.
        """
        zero_shot = None
        if request.labels:
            try:
                zero_shot_component(self.nlp)
            except SelectraError as error:
                raise _unfit(str(error)) from error
            given = request.labels
            pairs = given.items() if isinstance(given, dict) else ((name, name) for name in given)
            labels = [(name, (one,) if isinstance(one, str) else tuple(one)) for name, one in pairs]
            zero_shot = ZeroShot(tuple(labels), request.hypothesis_template, request.multi_label)
        for key, what in (("entity_scores", TAGGER), ("words", DETECTOR)):
            if getattr(request, key) and not self.offers[key]:
                raise _unfit(f"'{key}' needs a pipeline with a component {what}")
        wishes = (request.entity_scores, request.sentences, request.words)
        return [Item(text, zero_shot, *wishes) for text in request.all_texts]

    def __call__(self, items: list[Item]) -> list[dict[str, Any] | Exception]:
        """A record or an exception for each item."""
        with self.nlp.memory_zone():
            try:
                return self._read(items)
            except Exception as error:  # of one document; annotate the others
                if len(items) == 1:
                    return [error]
        return [found for item in items for found in self([item])]

    def _read(self, items: list[Item]) -> list[dict[str, Any] | Exception]:
        for tagger, own in zip(self._taggers, self._scores, strict=True):
            tagger.scores = own or any(item.entity_scores for item in items)
        docs = list(self.nlp.pipe([item.text for item in items], batch_size=len(items)))
        records: list[dict[str, Any] | Exception] = []
        groups: dict[ZeroShot, list[int]] = defaultdict(list)
        for place, (item, doc) in enumerate(zip(items, docs, strict=True)):
            records.append(self._record(item, doc))
            if item.zero_shot is not None:
                groups[item.zero_shot].append(place)
        for wanted, places in groups.items():
            found = self._classified(wanted, [docs[place] for place in places])
            for place, one in zip(places, found, strict=True):
                record = records[place]
                if isinstance(one, Exception) or isinstance(record, Exception):
                    records[place] = one
                else:
                    truncated = record.pop("truncated", []) + one.pop("truncated", [])
                    record.update(one)
                    if truncated:
                        record["truncated"] = truncated
        return records

    def _record(self, item: Item, doc: Doc) -> dict[str, Any]:
        record = describe(doc)
        if not item.entity_scores and not any(self._scores):
            for entity in record["ents"]:
                entity.pop("score", None)
        if item.words:
            record["words"] = [
                {
                    "start": token.idx,
                    "end": token.idx + len(token),
                    "score": round(float(token._.replaced), 4),
                }
                for token in doc
                if not token.is_space
            ]
        if self._cutting and _words_left_out(doc):
            record["truncated"] = list(self._cutting)
        if item.sentences:  # last, since it may add boundaries that are not the pipeline's
            if not doc.has_annotation("SENT_START"):
                self._sentencizer(doc)
            record["sentences"] = [{"start": s.start_char, "end": s.end_char} for s in doc.sents]
        return record

    def _classified(self, wanted: ZeroShot, docs: list[Doc]) -> list[dict[str, Any] | Exception]:
        """`zero_shot` of each document, and `truncated` if it was truncated."""
        component = zero_shot_component(self.nlp)
        before = component.truncated
        labels = dict(wanted.labels)
        try:
            rows = component.classify(
                docs, labels, hypothesis_template=wanted.template, multi_label=wanted.multi_label
            )
            found: list[dict[str, Any] | Exception] = [{"zero_shot": rounded(row)} for row in rows]
            if component.truncated > before:
                cut = component.cut(docs, labels, hypothesis_template=wanted.template)
                for one, is_cut in zip(found, cut, strict=True):
                    if is_cut and isinstance(one, dict):
                        one["truncated"] = [component.name]
        except SelectraError as error:
            return [_unfit(str(error))] * len(docs)
        return found


def _unfit(message: str) -> Refusal:
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, message)


def _words_left_out(doc: Doc) -> bool:
    """Whether all pieces of a word were truncated, because spans were too long."""
    lengths = doc._.trf_data.align.lengths
    return any(token.is_alpha and not size for token, size in zip(doc, lengths, strict=True))
