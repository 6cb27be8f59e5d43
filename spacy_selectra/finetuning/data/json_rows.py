"""Rows of `.json` files: arrays of objects, and exports of annotation tools."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spacy_selectra.corpus.lines import numbered_lines
from spacy_selectra.errors import SelectraError


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        SelectraError: missing file, or invalid JSON.
    """
    text = "\n".join(line for _, line in numbered_lines(path))
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SelectraError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from error
    except (ValueError, RecursionError) as error:  # a number with thousands of digits; deep nesting
        raise SelectraError(f"{path}: not JSON ({error})") from error


def json_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Position and columns of each item of the array.

    Items are objects, or pairs of a text and `{"entities": [...]}` (spaCy 2). The array may be the
    value of `annotations` (NER Annotator, with null for skipped texts). Label Studio's objects with
    `data` and `annotations` are converted to `text` and `spans`.

    Raises:
        SelectraError: missing file, invalid JSON, or JSON in another format.
    """
    whole = read_json(path)
    items = whole.get("annotations") if isinstance(whole, dict) else whole
    if not isinstance(items, list):
        raise SelectraError(
            f"{path}: not an array of rows ([{{...}}, ...]); use .jsonl for one object per line"
        )
    for number, item in enumerate(items, start=1):
        if item is None:
            continue
        place = f"{path}, item {number}"
        if isinstance(item, list) and len(item) == 2 and isinstance(item[1], dict):
            item = {"text": item[0], **item[1]}
        if not isinstance(item, dict):
            raise SelectraError(f"{place}: not a JSON object")
        yield place, _studio_row(item, place) if _is_studio(item) else item


def _is_studio(item: Mapping[str, Any]) -> bool:
    return isinstance(item.get("data"), dict) and isinstance(item.get("annotations"), list)


def _studio_row(item: Mapping[str, Any], place: str) -> dict[str, Any]:
    """A task of Label Studio, with the first annotation that was not cancelled."""
    done = [one for one in item["annotations"] if not one.get("was_cancelled")]
    try:
        values = [result["value"] for result in (done[0]["result"] if done else [])]
        spans = [value for value in values if "start" in value]
    except (KeyError, TypeError, AttributeError) as error:
        raise SelectraError(f"{place}: not in Label Studio's format") from error
    return {**item["data"], "spans": spans}
