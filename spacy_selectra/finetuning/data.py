"""Labelled texts and pairs from local files, checked before anything is trained."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.tasks import Layout, Task

SUFFIXES = (".jsonl", ".tsv", ".csv")


class Example(NamedTuple):
    """One labelled text, or pair of texts if `pair` is not None."""

    text: str
    pair: str | None
    label: str


@dataclass(frozen=True)
class Dataset:
    """The splits of a task.

    Attributes:
        labels: classes in the order of the logits.
        train, dev, test: examples; `test` is empty if there is none.
    """

    labels: list[str]
    train: list[Example]
    dev: list[Example]
    test: list[Example]


def read_dataset(
    task: Task,
    train: str | Sequence[str],
    dev: str | Sequence[str],
    test: str | Sequence[str] | None = None,
) -> Dataset:
    """Read all splits and check that they speak of the same classes.

    Raises:
        SelectraError: missing file or column, empty split, a label the task does not know, a
            label not seen in training, or a class that a split does not hold.
    """
    splits = {"train": read_split(task, train, "train"), "dev": read_split(task, dev, "dev")}
    if test:
        splits["test"] = read_split(task, test, "test")
    labels = list(task.labels or sorted({example.label for example in splits["train"]}))
    if len(labels) < 2:
        raise SelectraError(f"train: only one label ('{labels[0]}'), there is nothing to learn")
    for name, examples in splits.items():
        _check_labels(name, examples, labels, fixed=task.labels is not None)
    return Dataset(labels, splits["train"], splits["dev"], splits.get("test", []))


def read_split(task: Task, paths: str | Sequence[str], split: str = "data") -> list[Example]:
    """Read the files of one split, in order.

    Raises:
        SelectraError: missing file, missing column, unreadable row or no example at all.
    """
    names = [paths] if isinstance(paths, str) else list(paths)
    examples = [example for name in names for example in _read_file(task, Path(name))]
    if not examples:
        raise SelectraError(
            f"{split}: no example in {', '.join(names) or 'an empty list of files'}"
        )
    return examples


def _check_labels(
    split: str, examples: Sequence[Example], labels: Sequence[str], *, fixed: bool
) -> None:
    found = {example.label for example in examples}
    unknown = sorted(found - set(labels))
    if unknown:
        number = Counter(example.label for example in examples)[unknown[0]]
        why = "this task's labels" if fixed else "the labels seen in training"
        raise SelectraError(
            f"{split}: label '{unknown[0]}' ({number} examples) is not one of {why}: "
            f"{', '.join(labels)}"
        )
    missing = [label for label in labels if label not in found]
    if missing:
        raise SelectraError(
            f"{split}: no example of label '{missing[0]}'; all splits must hold the same labels "
            f"({', '.join(labels)})"
        )


def _read_file(task: Task, path: Path) -> Iterator[Example]:
    layout: Layout | None = None
    for number, row in _rows(path):
        if layout is None:
            layout = _layout_of(task, path, list(row))
        if any(row.get(column, value) != value for column, value in layout.only.items()):
            continue
        values = [row.get(column) for column in layout.columns]
        if any(value is None or value == "" for value in values):
            empty = layout.columns[[value in (None, "") for value in values].index(True)]
            raise SelectraError(f"{path}, line {number}: column '{empty}' is empty")
        label = str(row[layout.label])
        yield Example(
            text=str(row[layout.text]),
            pair=str(row[layout.pair]) if layout.pair else None,
            label=layout.names.get(label, label),
        )


def _layout_of(task: Task, path: Path, columns: Sequence[str]) -> Layout:
    for layout in task.layouts:
        if set(layout.columns) <= set(columns):
            return layout
    wanted = " or ".join("/".join(layout.columns) for layout in task.layouts)
    raise SelectraError(
        f"{path}: missing column for task '{task.name}': it needs {wanted}, "
        f"the file has {'/'.join(columns)}"
    )


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Line number and columns of each row."""
    if path.suffix not in SUFFIXES:
        raise SelectraError(f"{path}: kind of file not known (use {', '.join(SUFFIXES)})")
    if not path.is_file():
        raise SelectraError(f"{path}: no such file")
    reader = {".jsonl": _json_rows, ".tsv": _tsv_rows, ".csv": _csv_rows}[path.suffix]
    try:
        yield from reader(path)
    except UnicodeDecodeError as error:
        raise SelectraError(f"{path}: not UTF-8 text ({error.reason}); convert it first") from error


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


def _json_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with open(path, encoding="utf-8-sig") as stream:
        yield from json_objects(path, enumerate(stream, start=1))


def _tsv_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Tab-separated rows below a header line.

    Such files are written with quotation marks as plain characters (XNLI) or as in CSV
    (PAWS-X): only a field that is quoted as a whole is unquoted.
    """
    with open(path, encoding="utf-8-sig", newline="\n") as stream:
        lines = enumerate(stream, start=1)
        header = next(lines, (0, ""))[1].rstrip("\r\n").split("\t")
        for number, line in lines:
            if not line.strip():
                continue
            fields = [_unquote(field) for field in line.rstrip("\r\n").split("\t")]
            if len(fields) != len(header):
                raise SelectraError(
                    f"{path}, line {number}: {len(fields)} columns, the header has {len(header)}"
                )
            yield number, dict(zip(header, fields, strict=True))


def _csv_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with open(path, encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        for row in reader:
            if None in row or None in row.values():
                raise SelectraError(
                    f"{path}, line {reader.line_num}: not {len(reader.fieldnames or [])} columns, "
                    "as the header has"
                )
            yield reader.line_num, row


def _unquote(field: str) -> str:
    if len(field) >= 2 and field[0] == field[-1] == '"':
        inner = field[1:-1].replace('""', "\0")
        if '"' not in inner:
            return inner.replace("\0", '"')
    return field
