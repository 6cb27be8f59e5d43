"""Rows of local files, of data sets on the Hugging Face Hub, or of a directory like one."""

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
from spacy_selectra.util.requirements import required

SUFFIXES = (".jsonl", ".json", ".tsv", ".csv")

UNLABELLED = object()
"""Value of a label that a data set marks as missing on purpose; such rows are left out."""

Row = tuple[str, Mapping[str, Any]]
"""Where a row stands ("a.tsv, line 3"), and its columns."""

Broken = Callable[[str, Any], Mapping[str, Any]]
"""What comes in the place of a row that cannot be read, made of the reason and what there is."""

Formats = Mapping[str, Callable[[Path], Iterator[Row]]]
"""Rows of files of other kinds, by suffix: those of libraries that fine-tuning does not know."""

_SEPARATORS = (",", ";", "\t", "|")
# Characters of a field: a long book. The csv module allows 131,072 unless told otherwise.
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
        known: names of columns; a first line of a `.tsv` that holds one of them is a header.
        headerless: columns of a `.tsv` without header, if this task has such files.
        formats: further kinds of files.
        broken: for rows of tables that cannot be read; None raises an error for the first. Bytes
            that are not UTF-8 come as `decoded_lines` says.

    Raises:
        SelectraError: missing file, another kind of file, or a row that cannot be read.
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
            f"{path}: kind of file not known (use {', '.join((*SUFFIXES, *(formats or ())))})"
        )
    for number, row in rows:
        yield f"{path}, line {number}", row


def _tsv_rows(
    path: Path, known: Sequence[str], headerless: Sequence[str], broken: Broken | None
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Tab-separated rows.

    Such files are written with quotation marks as plain characters (XNLI) or as in CSV
    (PAWS-X): only a field that is quoted as a whole is unquoted.
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
    """Rows of a table as spreadsheets export it.

    Columns are separated by whatever separates the names in the first line, or by what a line
    `sep=;` says. Rows of nothing but separators are left out, as blank lines are, and so are
    columns without a name.
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
                f"not {len(header)} columns separated by {separator!r}, as the header has, but "
                f"{len(fields)}"
            )
        if problem:
            yield place, _broken(path, place, problem, fields, broken)
        else:
            yield place, {name: field for name, field in zip(header, fields, strict=True) if name}


def _separator(header: str, known: Sequence[str]) -> str:
    """The separator that finds most of the known columns in a header, then most columns."""

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
    """A field of a tab-separated file, without quotation marks around it and with those inside
    written once, as spreadsheets mean them; text that has others stays as it is."""
    if len(field) >= 2 and field[0] == field[-1] == '"':
        inner = field[1:-1].replace('""', "\0")
        if '"' not in inner:
            return inner.replace("\0", '"')
    return field


# Rows of data sets on the Hugging Face Hub, or in a directory laid out like one.


def hub_rows(hub: str, config: str | None, revision: str | None, split: str) -> Iterator[Row]:
    """Rows of a split, numbers of classes turned into their names.

    No code of a data set is ever run; one that is a loading script cannot be read. A number
    below 0 marks a row without label, as is the custom there: it comes as `UNLABELLED`.

    Args:
        hub: hub id, or local directory of parquet, JSON, CSV files.
        config: name of the configuration.
        revision: branch, tag or commit.
        split: name, also a slice of it such as "train[:100]" or "train[10%:]".

    Raises:
        SelectraError: no such data set, configuration or split, or no way to get it.
    """
    datasets = required("datasets")

    place = f"{hub} ({config}), {split}" if config else f"{hub}, {split}"
    # releases before 4 may run code unless told not to, later ones cannot and know no such word
    trust: Any = {"trust_remote_code": False} if int(datasets.__version__.split(".")[0]) < 4 else {}
    try:
        data = datasets.load_dataset(hub, config, split=split, revision=revision, **trust)
        names = {column: _class_names(kind) for column, kind in (data.features or {}).items()}
    except Exception as error:  # datasets and huggingface-hub raise many unrelated types
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
    """Names of the classes of a column that holds a class, or a list of classes."""
    if isinstance(feature, (list, tuple)):
        feature = feature[0]
    while hasattr(feature, "feature"):
        feature = feature.feature
    return list(feature.names) if hasattr(feature, "num_classes") else None


def _named(value: Any, names: list[str]) -> Any:
    if isinstance(value, list):
        return [_named(item, names) for item in value]
    return names[value] if isinstance(value, int) and value >= 0 else UNLABELLED
