"""Rows of local files, of data sets on the Hugging Face Hub, or of a directory like one."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from spacy_selectra.corpus.compression import open_for_reading, split_suffix
from spacy_selectra.errors import SelectraError
from spacy_selectra.util.requirements import training_package

SUFFIXES = (".jsonl", ".tsv", ".csv")

UNLABELLED = object()
"""Value of a label that a data set marks as missing on purpose; such rows are left out."""

Row = tuple[str, Mapping[str, Any]]
"""Where a row stands ("a.tsv, line 3"), and its columns."""


def numbered_lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """Lines of a UTF-8 file and their numbers from 1, split at line feeds only.

    Raises:
        SelectraError: the file is missing, damaged or not UTF-8.
    """
    with open_for_reading(path) as stream:
        for number, raw in enumerate(stream, start=1):
            try:
                yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise SelectraError(
                    f"{path}, line {number}: not UTF-8 ({error.reason}); convert it with "
                    f"iconv -f latin1 -t utf-8, if it is Latin-1"
                ) from error


def json_objects(
    path: str | Path, lines: Iterable[tuple[int, str]]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and object of each line of JSON that is not blank.

    Args:
        path: named in errors.
        lines: numbered lines of the file.

    Raises:
        SelectraError: a line that is not JSON, or no object.
    """
    for number, line in lines:
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise SelectraError(f"{path}, line {number}: not JSON ({error.msg})") from error
        if not isinstance(row, dict):
            raise SelectraError(f"{path}, line {number}: not a JSON object")
        yield number, row


def file_rows(path: Path, known: Sequence[str], headerless: Sequence[str] = ()) -> Iterator[Row]:
    """Rows of a `.jsonl`, `.tsv` or `.csv` file, each also with .gz, .xz or .zst.

    Args:
        path: the file.
        known: names of columns; a first line of a `.tsv` that holds one of them is a header.
        headerless: columns of a `.tsv` without header, if this task has such files.

    Raises:
        SelectraError: missing file, another kind of file, or a row that cannot be read.
    """
    suffix, _ = split_suffix(path)
    if suffix == ".jsonl":
        rows = json_objects(path, numbered_lines(path))
    elif suffix == ".tsv":
        rows = _tsv_rows(path, known, headerless)
    elif suffix == ".csv":
        rows = _csv_rows(path)
    else:
        raise SelectraError(f"{path}: kind of file not known (use {', '.join(SUFFIXES)})")
    for number, row in rows:
        yield f"{path}, line {number}", row


def _tsv_rows(
    path: Path, known: Sequence[str], headerless: Sequence[str]
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Tab-separated rows.

    Such files are written with quotation marks as plain characters (XNLI) or as in CSV
    (PAWS-X): only a field that is quoted as a whole is unquoted.
    """
    header: Sequence[str] = ()
    origin = "the header has"
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        fields = line.split("\t")
        if not header:
            if len(fields) != len(headerless) or not set(fields).isdisjoint(known):
                header = fields
                continue
            header, origin = headerless, "a file without header has"
        if len(fields) != len(header):
            raise SelectraError(
                f"{path}, line {number}: {len(fields)} columns, {origin} {len(header)}"
            )
        yield number, dict(zip(header, map(unquoted, fields), strict=True))


def _csv_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(f"{line}\n" for _, line in numbered_lines(path))
    try:
        for row in reader:
            if None in row or None in row.values():
                raise SelectraError(
                    f"{path}, line {reader.line_num}: not {len(reader.fieldnames or [])} columns, "
                    "as the header has"
                )
            yield reader.line_num, row
    except csv.Error as error:
        raise SelectraError(f"{path}, line {reader.line_num}: not CSV ({error})") from error


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
    datasets = training_package("datasets")

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
