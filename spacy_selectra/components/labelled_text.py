"""Texts and pairs of texts with labels, from jsonl and tsv files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.rows import json_objects, numbered_lines, unquoted

# Names under which data sets store the two texts of a pair.
PAIR_KEYS = (("premise", "hypothesis"), ("sentence1", "sentence2"), ("text1", "text2"))


@dataclass(frozen=True)
class Row:
    """One line of a file: its texts, its label, and where it stands."""

    texts: tuple[str, ...]
    label: str
    line: int


def read_texts(path: str | Path) -> list[Row]:
    """Rows with `text` and `label`.

    Raises:
        SelectraError: the file is missing, empty, of another format, or a line is malformed.
    """
    return _read(path, (("text",),))


def read_pairs(path: str | Path) -> list[Row]:
    """Rows with two texts, named as one of `PAIR_KEYS`, and `label`. Raises as `read_texts`."""
    return _read(path, PAIR_KEYS)


def _read(path: str | Path, candidates: Sequence[tuple[str, ...]]) -> list[Row]:
    suffix = Path(path).suffix.lower()
    if suffix == ".jsonl":
        values = json_objects(path, numbered_lines(path))
    elif suffix == ".tsv":
        values = _tsv(path)
    else:
        raise SelectraError(f"{path}: unknown format '{suffix}'; known are .jsonl and .tsv")
    rows: list[Row] = []
    keys: tuple[str, ...] | None = None
    for line, value in values:
        keys = keys or next((names for names in candidates if names[0] in value), candidates[0])
        missing = [key for key in (*keys, "label") if value.get(key) is None]
        if missing:
            raise SelectraError(
                f"{path}, line {line}: no '{missing[0]}' (found {', '.join(map(str, value))})"
            )
        rows.append(Row(tuple(str(value[key]) for key in keys), str(value["label"]), line))
    if not rows:
        raise SelectraError(f"{path}: no rows in it (empty file)")
    return rows


def _tsv(path: str | Path) -> Iterator[tuple[int, dict]]:
    header: list[str] | None = None
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        fields = [unquoted(field) for field in line.split("\t")]
        if header is None:
            header = fields
        elif len(fields) != len(header):
            raise SelectraError(
                f"{path}, line {number}: {len(fields)} columns where the header has {len(header)}"
            )
        else:
            yield number, dict(zip(header, fields, strict=True))
