"""Annotated documents as JSON: what `annotate` writes and `serve` answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from spacy_selectra.errors import SelectraError
from spacy_selectra.util.files import atomic_file

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

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
        "ents": [
            {"start": ent.start_char, "end": ent.end_char, "label": ent.label_, "text": ent.text}
            for ent in doc.ents
        ],
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
    """The documents of a .jsonl file (objects with `text_key`) or a .txt file (one a line).

    `-` reads standard input: JSON lines if the first line starts with `{`, else plain text.

    Raises:
        SelectraError: missing file, not UTF-8, a line that is not an object with `text_key`, or a
            text of more than `longest` characters or otherwise `unreadable`.
    """
    with _open_input(path) as stream:
        lines = enumerate(_decoded(stream, path), start=1)
        first = next(lines, None)
        if first is None:
            return
        is_json = path.endswith((".jsonl", ".ndjson"))
        if path == STANDARD_STREAM:
            is_json = first[1].lstrip().startswith("{")
        for number, line in (item for part in ([first], lines) for item in part):
            if not line.strip():
                continue
            place = f"{path}:{number}"
            record = _parse(line, place, text_key) if is_json else {text_key: line.strip()}
            if problem := unreadable(record[text_key], longest):
                raise SelectraError(f"{place}: {problem}")
            yield record


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


@contextmanager
def _open_input(path: str) -> Iterator[Iterable[bytes]]:
    if path == STANDARD_STREAM:
        yield sys.stdin.buffer
        return
    try:
        stream = open(path, "rb")  # noqa: SIM115 - closed below; only the opening is guarded
    except OSError as error:
        raise SelectraError(f"{path}: cannot be read ({error.strerror})") from error
    with stream:
        yield stream


def _decoded(stream: Iterable[bytes], path: str) -> Iterator[str]:
    for number, line in enumerate(stream, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise SelectraError(
                f"{path}:{number}: not UTF-8 (byte {line[error.start]:#04x}); "
                f"convert it: iconv -f latin1 -t utf-8 FILE"
            ) from error


def _parse(line: str, place: str, text_key: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SelectraError(f"{place}: not JSON ({error})") from error
    if not isinstance(record, dict) or not isinstance(record.get(text_key), str):
        raise SelectraError(f"{place}: expected an object with a string under '{text_key}'")
    return record
