"""Annotated documents as JSON: what `annotate` writes and `serve` answers."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from spacy_selectra.corpus.compression import open_for_reading, split_suffix
from spacy_selectra.corpus.lines import decoded_lines, json_objects, numbered_lines
from spacy_selectra.errors import SelectraError
from spacy_selectra.util.files import atomic_file

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Span

ZERO_SHOT = "selectra_zero_shot"
STANDARD_STREAM = "-"
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
        raise SelectraError(f"{name_or_path}: not a pipeline that loads ({first_line})") from error


def annotate_texts(
    nlp: Language,
    texts: Sequence[str],
    labels: Sequence[str] = (),
    batch_size: int = 64,
) -> list[dict[str, Any]]:
    """One record per text: `ents`, `cats`, `replaced` and, given `labels`, `zero_shot`.

    Args:
        nlp: a pipeline; what its components do not set is left out of the records.
        texts: the documents.
        labels: labels for the zero-shot component, scored for every text.
        batch_size: documents a batch of `nlp.pipe`.

    Raises:
        SelectraError: `labels` were given and the pipeline has no zero-shot component.
    """
    docs = list(nlp.pipe(texts, batch_size=batch_size))
    records = [describe(doc) for doc in docs]
    if labels and docs:
        scores = zero_shot_component(nlp).classify(docs, list(labels))
        for record, row in zip(records, scores, strict=True):
            record["zero_shot"] = {label: round(float(row[label]), 4) for label in labels}
    return records


def zero_shot_component(nlp: Language) -> Any:
    """The pipeline's component made by the factory `selectra_zero_shot`.

    Raises:
        SelectraError: there is none.
    """
    for name in nlp.pipe_names:
        if nlp.get_pipe_meta(name).factory == ZERO_SHOT:
            return nlp.get_pipe(name)
    raise SelectraError(
        f"pipeline '{nlp.meta.get('name')}' has no zero-shot component (it has: "
        f"{', '.join(nlp.pipe_names)}); leave the labels out or use another pipeline"
    )


def describe(doc: Doc) -> dict[str, Any]:
    """What the pipeline found in `doc`; offsets are characters of `doc.text`."""
    record: dict[str, Any] = {
        "text": doc.text,
        "ents": [_described(ent) for ent in doc.ents],
        "cats": {label: round(float(score), 4) for label, score in doc.cats.items()},
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
    """Why spaCy cannot read a text; None if it can.

    Args:
        text: a document.
        longest: characters at most, the pipeline's `max_length`.
    """
    if len(text) > longest:
        return f"{len(text):,} characters, at most {longest:,} are read; split the text"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return f"half a surrogate pair at character {error.start + 1}"
    return None


def read_records(
    path: str, text_key: str = "text", longest: int = MAX_CHARACTERS
) -> Iterator[dict[str, Any]]:
    """The documents of a file, as records with `text_key`.

    A `.txt` file holds one a line, a `.jsonl` or `.ndjson` file objects with `text_key`, both also
    compressed (.gz, .xz, .zst); a `.spacy` file spaCy's documents, of which the text is taken. `-`
    reads standard input: JSON lines if the first line starts with `{`, else plain text.

    Raises:
        SelectraError: missing file, another kind of file, not UTF-8, a line that is not an object
            with `text_key`, or a text of more than `longest` characters or otherwise `unreadable`.
    """
    for place, record in _placed_records(path, text_key):
        if not isinstance(record.get(text_key), str):
            raise SelectraError(f"{place}: expected an object with a string under '{text_key}'")
        if problem := unreadable(record[text_key], longest):
            raise SelectraError(f"{place}: {problem}")
        yield record


def _placed_records(path: str, text_key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    suffix, _ = split_suffix(path)
    if path == STANDARD_STREAM or Path(path).is_fifo():
        with open_for_reading(path) if path != STANDARD_STREAM else nullcontext(None) as stream:
            lines = decoded_lines(path, stream or sys.stdin.buffer)
            first = list(islice(lines, 1))
            kind = ".jsonl" if first and first[0][1].lstrip().startswith("{") else ".txt"
            yield from _records_of_lines(path, chain(first, lines), kind, text_key)
    elif suffix == ".spacy":
        import spacy

        from spacy_selectra.components.docbin import read_docs

        for place, doc in read_docs(path, spacy.blank("xx").vocab):
            yield place, {text_key: doc.text}
    elif suffix in (".txt", ".jsonl", ".ndjson"):
        yield from _records_of_lines(path, numbered_lines(path), suffix, text_key)
    else:
        raise SelectraError(f"{path}: kind of file not known (use .txt, .jsonl, .ndjson or .spacy)")


def _records_of_lines(
    path: str, lines: Iterable[tuple[int, str]], kind: str, text_key: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    if kind == ".txt":
        records = ((n, {text_key: line.strip()}) for n, line in lines if line.strip())
    else:
        records = json_objects(path, lines)
    for number, record in records:
        yield f"{path}, line {number}", record


def annotate_records(
    nlp: Language,
    records: Iterable[dict[str, Any]],
    *,
    text_key: str = "text",
    labels: Sequence[str] = (),
    batch_size: int = 64,
) -> Iterator[dict[str, Any]]:
    """Add annotations to records, batch by batch, in constant memory; other keys are kept."""
    pending = iter(records)
    while batch := list(islice(pending, batch_size)):
        with nlp.memory_zone():
            found = annotate_texts(nlp, [item[text_key] for item in batch], labels, batch_size)
        for record, added in zip(batch, found, strict=True):
            added.pop("text")
            yield {**record, **added}


@contextmanager
def open_output(path: str) -> Iterator[TextIO]:
    """A text stream for `path`, which appears only when all is written; `-` is standard output."""
    if path == STANDARD_STREAM:
        yield sys.stdout
        sys.stdout.flush()
        return
    with atomic_file(path) as temporary, open(temporary, "w", encoding="utf-8") as stream:
        yield stream
