"""Input rows of `annotate`, including invalid ones.

Files of lines, tables, Parquet, spaCy documents and data sets of the hub are all read as `Row`s. An
invalid row contains its problem, so that the caller decides whether to stop.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from spacy_selectra.corpus.compression import open_for_reading, split_suffix
from spacy_selectra.corpus.documents import files_in, parquet_batches
from spacy_selectra.corpus.hub import HUB_PREFIX, hub_records
from spacy_selectra.corpus.lines import decoded_lines, json_object, numbered_lines, wrong_byte
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.sources import file_rows
from spacy_selectra.serving.records import MAX_CHARACTERS, unreadable
from spacy_selectra.util.extras import required
from spacy_selectra.util.files import expanded

STANDARD_STREAM = "-"
_BLOCK = 1 << 20  # bytes
LINES, TABLES = (".txt", ".jsonl", ".ndjson"), (".csv", ".tsv")
KINDS = (*LINES, *TABLES, ".parquet", ".spacy")


@dataclass(frozen=True)
class Row:
    """A row of a source.

    Attributes:
        place: position for messages: "a.csv, line 3".
        values: its columns; for an invalid row the available content.
        problem: why it is invalid.
        types: pyarrow schema of the columns, if known.
    """

    place: str
    values: Any
    problem: str | None = None
    types: Any = None


class _Broken(dict[str, Any]):
    """Marks an invalid row of a table."""


def list_inputs(path: str) -> list[str]:
    """The files of an input: the file itself, or all files in a folder, in a fixed order.

    Raises:
        SelectraError: unknown format, or a folder without files in a known format.
    """
    if is_stream(path) or path.startswith(HUB_PREFIX):
        return [path]
    if Path(path).is_dir():
        return [str(file) for file in files_in(Path(path), KINDS)]
    if split_suffix(path)[0] not in KINDS:
        raise SelectraError(f"{path}: unknown format (use {', '.join(KINDS)})")
    if not expanded(path).exists():
        raise SelectraError(f"{path}: no such file")
    return [path]


def is_stream(path: str) -> bool:
    """Whether it is a stream such as a pipe or terminal, which can be read or written only once."""
    found = Path(path)
    return path == STANDARD_STREAM or (
        found.exists() and not found.is_file() and not found.is_dir()
    )


def read_rows(source: str, text_key: str = "text") -> Iterator[Row]:
    """The rows of one source, in constant memory except for `.spacy` files.

    `.txt` files have a document per line, `.jsonl` and `.ndjson` objects, and `.csv` and `.tsv` a
    header. These may be compressed (.gz, .xz, .zst). From `.spacy` files only the text is used.
    `hub:NAME[:CONFIG[:SPLIT]]` streams a data set. `-` (standard input) and named pipes are JSON
    lines if the first line starts with `{`, otherwise plain text.

    Args:
        source: one of `list_inputs`.
        text_key: column of the text.

    Raises:
        SelectraError: the source is damaged, or has no such column.
    """
    kind, _ = split_suffix(source)
    if is_stream(source):
        yield from _stream_rows(source, text_key)
    elif source.startswith(HUB_PREFIX):
        for number, values in hub_records(source):
            yield Row(f"{source}, row {number}", dict(values))
    elif kind in LINES:
        yield from _line_rows(source, numbered_lines(source, strict=False), kind, text_key)
    elif kind in TABLES:
        yield from _table_rows(source, text_key)
    elif kind == ".parquet":
        with open_for_reading(source) as stream:
            number = 0
            for batch in parquet_batches(source, stream, [text_key], others=True):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(f"{source}, row {number}", values, types=batch.schema)
    elif kind == ".spacy":
        import spacy

        from spacy_selectra.components.corpora.docbin import read_docs

        for place, doc in read_docs(source, spacy.blank("xx").vocab):
            yield Row(place, {text_key: doc.text})
    else:
        raise SelectraError(f"{source}: unknown format (use {', '.join(KINDS)})")


def _stream_rows(source: str, text_key: str) -> Iterator[Row]:
    standard = source == STANDARD_STREAM
    with nullcontext(sys.stdin.buffer) if standard else open_for_reading(source) as stream:
        lines = decoded_lines(source, stream, strict=False)
        first = list(islice(lines, 1))
        kind = ".jsonl" if first and first[0][1].lstrip().startswith("{") else ".txt"
        yield from _line_rows(source, chain(first, lines), kind, text_key)


def _line_rows(
    source: str, lines: Iterable[tuple[int, str]], kind: str, text_key: str
) -> Iterator[Row]:
    for number, line in lines:
        if not line.strip():
            continue
        place = f"{source}, line {number}"
        if problem := wrong_byte(line, source):
            yield Row(place, line, problem)
        elif kind == ".txt":
            yield Row(place, {text_key: line.strip()})
        else:
            try:
                yield Row(place, json_object(line))
            except SelectraError as error:
                yield Row(place, line, str(error))


def _table_rows(source: str, text_key: str) -> Iterator[Row]:
    def broken(problem: str, fields: Any) -> Mapping[str, Any]:
        return _Broken(problem=problem, fields=fields)

    for place, values in file_rows(Path(source), [text_key], broken=broken):
        if isinstance(values, _Broken):
            yield Row(place, values["fields"], values["problem"])
            continue
        if text_key not in values:
            raise SelectraError(
                f"{source}: no column '{text_key}'; choose one of {', '.join(values)}"
            )
        wrong = [found for value in values.values() if (found := wrong_byte(value, source))]
        yield Row(place, dict(values), wrong[0] if wrong else None)


def text_problem(values: Any, text_key: str, longest: int) -> str | None:
    """Why the text of a row is invalid, or None if it is valid.

    Args:
        values: the row's columns.
        text_key: column of the text.
        longest: maximum number of characters.
    """
    if not isinstance(values.get(text_key), str):
        return f"expected an object with a string under '{text_key}'"
    return unreadable(values[text_key], longest)


def read_records(
    path: str, text_key: str = "text", longest: int = MAX_CHARACTERS
) -> Iterator[dict[str, Any]]:
    """The rows of an input (see `read_rows`), with an error for the first invalid row.

    Raises:
        SelectraError: missing file, unknown format, or a row without valid text.
    """
    for source in list_inputs(path):
        for row in read_rows(source, text_key):
            if problem := row.problem or text_problem(row.values, text_key, longest):
                raise SelectraError(f"{row.place}: {problem}")
            yield row.values


def count_rows(inputs: Sequence[str]) -> int | None:
    """Approximate number of rows; counts blank lines and line breaks within quotation marks.

    None if it is only known after reading.

    Raises:
        SelectraError: a file cannot be read.
    """
    total = 0
    for source in inputs:
        kind, compression = split_suffix(source)
        if is_stream(source) or source.startswith(HUB_PREFIX) or kind == ".spacy":
            return None
        if kind != ".parquet":
            with open_for_reading(source) as stream:
                total += sum(block.count(b"\n") for block in iter(lambda: stream.read(_BLOCK), b""))
        elif compression:
            return None
        else:
            try:
                total += required("pyarrow.parquet").read_metadata(source).num_rows
            except required("pyarrow").ArrowException:
                return None  # the reader raises the error
    return total
