"""Annotated documents as JSON, the output of `annotate` and `serve`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy_selectra.errors import SelectraError

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Span

ZERO_SHOT = "selectra_zero_shot"
MAX_CHARACTERS = 1_000_000  # spaCy's own `nlp.max_length`


def load_pipeline(name_or_path: str | Path) -> Language:
    """`spacy.load`, with a one-line error.

    Raises:
        SelectraError: no such package or directory, or it cannot be loaded.
    """
    import spacy

    try:
        return spacy.load(name_or_path)
    except (OSError, ValueError, ImportError) as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise SelectraError(f"{name_or_path}: cannot load the pipeline ({first_line})") from error


def annotate_docs(
    nlp: Language, texts: Sequence[str], labels: Sequence[str] = (), batch_size: int = 64
) -> tuple[list[Doc], list[dict[str, Any]]]:
    """Documents, and a record of each: `ents`, `cats`, `replaced` and, with `labels`, `zero_shot`.

    Args:
        nlp: a pipeline; records have only the keys set by its components.
        texts: the documents.
        labels: labels for the zero-shot component.
        batch_size: documents per batch of `nlp.pipe`.

    Raises:
        SelectraError: `labels` without a zero-shot component.
    """
    docs = list(nlp.pipe(texts, batch_size=batch_size))
    records = [describe(doc) for doc in docs]
    if labels and docs:
        scores = zero_shot_component(nlp).classify(docs, list(labels))
        for record, row in zip(records, scores, strict=True):
            record["zero_shot"] = rounded({label: row[label] for label in labels})
    return docs, records


def made_by(nlp: Language, factory: str) -> list[str]:
    """Names of the components of a factory, in pipeline order."""
    return [name for name in nlp.pipe_names if nlp.get_pipe_meta(name).factory == factory]


def zero_shot_component(nlp: Language) -> Any:
    """The pipeline's zero-shot component.

    Raises:
        SelectraError: there is none.
    """
    names = made_by(nlp, ZERO_SHOT)
    if not names:
        raise SelectraError(
            f"pipeline '{nlp.meta.get('name')}' has no zero-shot component (it has: "
            f"{', '.join(nlp.pipe_names)}); omit the labels or use another pipeline"
        )
    return nlp.get_pipe(names[0])


def rounded(scores: Mapping[str, float]) -> dict[str, float]:
    """Scores by label, rounded for records."""
    return {label: round(float(score), 4) for label, score in scores.items()}


def describe(doc: Doc) -> dict[str, Any]:
    """The record of a document; offsets are characters of `doc.text`."""
    record: dict[str, Any] = {
        "text": doc.text,
        "ents": [_described(ent) for ent in doc.ents],
        "cats": rounded(doc.cats),
    }
    if "replaced" in doc.spans:
        record["replaced"] = [
            {
                "start": span.start_char,
                "end": span.end_char,
                "text": span.text,
                "score": round(max(float(token._.replaced) for token in span), 4),
            }
            for span in doc.spans["replaced"]
        ]
    return record


def _described(entity: Span) -> dict[str, Any]:
    from spacy_selectra.components.entity_spans import score_of

    record = {
        "start": entity.start_char,
        "end": entity.end_char,
        "label": entity.label_,
        "text": entity.text,
    }
    score = score_of(entity)
    return record if score is None else {**record, "score": round(score, 4)}


def unreadable(text: str, longest: int) -> str | None:
    """Why spaCy cannot process a text, or None if it can.

    Args:
        text: a document.
        longest: maximum number of characters, the pipeline's `max_length`.
    """
    if len(text) > longest:
        return f"{len(text):,} characters, but at most {longest:,} are allowed; split the text"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return f"half a surrogate pair at character {error.start + 1}"
    return None
