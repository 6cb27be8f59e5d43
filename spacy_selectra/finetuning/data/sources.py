"""Reading rows of local files and of data sets on the Hugging Face Hub."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from spacy_selectra.corpus.compression import split_suffix
from spacy_selectra.corpus.lines import json_objects, numbered_lines
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.json_rows import json_rows
from spacy_selectra.finetuning.data.labels import visible
from spacy_selectra.util.extras import required

SUFFIXES = (".jsonl", ".json", ".tsv", ".csv")

UNLABELLED = object()
"""Label of rows that a data set marks as unlabelled; such rows are left out."""

Row = tuple[str, Mapping[str, Any]]
"""Place of a row ("a.tsv, line 3"), and its columns."""

Broken = Callable[[str, Any], Mapping[str, Any]]
"""Makes a replacement for an unreadable row, from the reason and its columns."""

Formats = Mapping[str, Callable[[Path], Iterator[Row]]]
"""Readers of further file formats, by suffix, for formats of libraries not imported here."""

_SEPARATORS = (",", ";", "\t", "|")
# Maximum characters of a field, enough for a book. The csv module's default is 131,072.
_LONGEST_FIELD = 1 << 24
_DECLARATION = re.compile(r"sep=(.)\n", re.IGNORECASE)


def file_rows(
    path: Path,
    known: Sequence[str],
    headerless: Sequence[str] = (),
    formats: Formats | None = None,
    broken: Broken | None = None,
) -> Iterator[Row]:
    """Rows of a `.jsonl`, `.json` (see `json_rows`), `.tsv` or `.csv` file, each also with .gz, .xz
    or .zst.

    Args:
        path: the file.
        known: names of columns; if the first line of a `.tsv` has one of them, it is a header.
        headerless: columns of a `.tsv` without header, if this task has such files.
        formats: readers of further file formats.
        broken: makes replacements for unreadable rows of tables; None raises an error. Bytes that
            are not UTF-8 are as in `decoded_lines` without `strict`.

    Raises:
        SelectraError: missing file, unknown format, or unreadable row.
    """
    suffix, _ = split_suffix(path)
    if formats and suffix in formats:
        yield from formats[suffix](path)
        return
    if suffix == ".json":
        yield from json_rows(path)
        return
    if suffix == ".jsonl":
        rows = json_objects(path, numbered_lines(path))
    elif suffix == ".tsv":
        rows = _tsv_rows(path, known, headerless, broken)
    elif suffix == ".csv":
        rows = _csv_rows(path, known, broken)
    else:
        raise SelectraError(
            f"{path}: unknown format (use {', '.join((*SUFFIXES, *(formats or ())))})"
        )
    for number, row in rows:
        yield f"{path}, line {number}", row


def _tsv_rows(
    path: Path, known: Sequence[str], headerless: Sequence[str], broken: Broken | None
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Tab-separated rows.

    In such files quotation marks are plain characters (XNLI) or quote fields as in CSV (PAWS-X),
    so only fields that are quoted as a whole are unquoted.
    """
    header: Sequence[str] = ()
    origin = "the header has"
    for number, line in numbered_lines(path, strict=broken is None):
        if not line.strip():
            continue
        fields = line.split("\t")
        if not header:
            names = [_column_name(unquoted(field)) for field in fields]
            if len(names) != len(headerless) or not set(names).isdisjoint(known):
                header = _unlike(path, number, names)
                continue
            header, origin = headerless, "a file without header has"
        if len(fields) != len(header):
            problem = f"{len(fields)} columns, {origin} {len(header)}"
            yield number, _broken(path, number, problem, fields, broken)
            continue
        yield number, dict(zip(header, map(unquoted, fields), strict=True))


def _broken(
    path: Path, line: int, problem: str, fields: Any, broken: Broken | None
) -> Mapping[str, Any]:
    if broken is None:
        raise SelectraError(f"{path}, line {line}: {problem}")
    return broken(problem, fields)


def _csv_rows(
    path: Path, known: Sequence[str], broken: Broken | None
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Rows of a CSV table as spreadsheets export it.

    The separator is that of the names in the first line, or that of a line `sep=;`. Blank lines,
    rows of separators only and columns without a name are left out.
    """
    lines = (f"{line}\n" for _, line in numbered_lines(path, strict=broken is None))
    separator, first, above = "", next(lines, ""), 0
    while first and (not first.strip() or _DECLARATION.match(first)):
        if said := _DECLARATION.match(first):
            separator = said[1]
        first, above = next(lines, ""), above + 1
    separator = separator or _separator(first, known)
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))
    reader = csv.reader(chain([first], lines), delimiter=separator, strict=True)
    try:
        names = [_column_name(field) for field in next(reader, [])]
    except csv.Error as error:
        raise SelectraError(f"{path}, line {above + 1}: not CSV ({error})") from error
    header = _unlike(path, above + reader.line_num, names)
    while True:
        fields: list[str] = []
        try:
            fields = next(reader)
            problem = ""
        except StopIteration:
            return
        except csv.Error as error:
            problem = f"not CSV ({error})"
        place = above + reader.line_num
        if not problem and not any(field.strip() for field in fields):
            continue
        if not problem and len(fields) != len(header):
            problem = (
                f"not {len(header)} columns separated by {separator!r}, as in the header, but "
                f"{len(fields)}"
            )
        if problem:
            yield place, _broken(path, place, problem, fields, broken)
        else:
            yield place, {name: field for name, field in zip(header, fields, strict=True) if name}


def _separator(header: str, known: Sequence[str]) -> str:
    """The separator that gives the most known columns in a header, then the most columns."""

    def found(separator: str) -> tuple[int, int]:
        names = [name.strip() for name in next(csv.reader([header], delimiter=separator), [])]
        return len(set(names) & set(known)), len(names)

    return max(_SEPARATORS, key=found)


def _column_name(field: str) -> str:
    return visible(unicodedata.normalize("NFC", field)).strip()


def _unlike(path: Path, line: int, names: Sequence[str]) -> Sequence[str]:
    twice = [name for place, name in enumerate(names) if name and name in names[:place]]
    if twice:
        raise SelectraError(f"{path}, line {line}: two columns are called '{twice[0]}'")
    return names


def unquoted(field: str) -> str:
    """A field without the quotation marks around it, and with doubled ones inside made single.

    Fields with other quotation marks are unchanged.
    """
    if len(field) >= 2 and field[0] == field[-1] == '"':
        inner = field[1:-1].replace('""', "\0")
        if '"' not in inner:
            return inner.replace("\0", '"')
    return field


# Rows of data sets on the Hugging Face Hub, or in a local directory with the same layout.


def hub_rows(hub: str, config: str | None, revision: str | None, split: str) -> Iterator[Row]:
    """Rows of a split, with names of classes instead of numbers.

    Loading scripts are not run. A class below 0 means unlabelled on the hub and becomes
    `UNLABELLED`.

    Args:
        hub: hub id, or local directory of parquet, JSON, CSV files.
        config: name of the configuration.
        revision: branch, tag or commit.
        split: name or slice, such as "train[:100]" or "train[10%:]".

    Raises:
        SelectraError: unknown data set, configuration or split, or the download fails.
    """
    datasets = required("datasets")

    place = f"{hub} ({config}), {split}" if config else f"{hub}, {split}"
    # versions of datasets before 4 may run code unless this is False; later ones lack the argument
    trust: Any = {"trust_remote_code": False} if int(datasets.__version__.split(".")[0]) < 4 else {}
    try:
        data = datasets.load_dataset(hub, config, split=split, revision=revision, **trust)
        names = {column: _class_names(kind) for column, kind in (data.features or {}).items()}
    except Exception as error:  # errors of datasets and huggingface-hub have no common base
        reason = " ".join(str(error.__cause__ or error).split()) or type(error).__name__
        raise SelectraError(
            f"{place}: cannot be read ({reason}); check hub, hub_config and the names of splits"
        ) from error
    for number, row in enumerate(data):
        values = {
            column: _named(value, known) if (known := names.get(column)) else value
            for column, value in dict(row).items()
        }
        yield f"{place}, row {number}", values


def _class_names(feature: Any) -> list[str] | None:
    """Names of the classes of a column of classes, or of lists of classes."""
    if isinstance(feature, (list, tuple)):
        feature = feature[0]
    while hasattr(feature, "feature"):
        feature = feature.feature
    return list(feature.names) if hasattr(feature, "num_classes") else None


def _named(value: Any, names: list[str]) -> Any:
    if isinstance(value, list):
        return [_named(item, names) for item in value]
    return names[value] if isinstance(value, int) and value >= 0 else UNLABELLED
