"""From rows of any source to the examples of a task."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.conll import NO_TAG, entity_words
from spacy_selectra.finetuning.data.examples import (
    AnyExample,
    Example,
    MarkedText,
    Scored,
    TaggedWords,
)
from spacy_selectra.finetuning.data.labels import label_name
from spacy_selectra.finetuning.data.sources import UNLABELLED, Row
from spacy_selectra.finetuning.data.spans import in_words, marked_text, split_words
from spacy_selectra.finetuning.data.squad import question_of
from spacy_selectra.finetuning.tasks.columns import ColumnSpec
from spacy_selectra.finetuning.tasks.registry import TaskSpec

# Columns of unlabelled rows for tagging that have a text instead of words.
_PLAIN_TEXT = ColumnSpec(text="text", label="")


def labelled_examples(spec: TaskSpec, source: str, rows: Iterable[Row]) -> Iterator[AnyExample]:
    """Examples of labelled rows, entities as tags of words; see `placed_examples`."""
    for place, example in placed_examples(spec, source, rows):
        if isinstance(example, MarkedText):
            example = in_words(example, place, spec.drop)
        if not isinstance(example, TaggedWords) or example.words:
            yield example


def placed_examples(
    spec: TaskSpec, source: str, rows: Iterable[Row]
) -> Iterator[tuple[str, AnyExample | MarkedText]]:
    """Examples of labelled rows, with file and line of each.

    Args:
        spec: the task.
        source: file or hub data set, for errors.
        rows: places (file and line) and columns.

    Raises:
        SelectraError: missing column, empty text or label, or a label of the wrong kind.
    """
    for place, columns, row in _chosen(spec, source, rows, labelled=True):
        label = row.get(columns.label)
        if spec.head == "tags":
            yield place, _tagged(spec, columns, row, place)
            continue
        if spec.head == "spans":
            own = {"context": columns.text, "question": columns.pair, "answers": columns.label}
            named = {key: row[name] for key, name in own.items()}
            question = question_of({**row, **named}, place)
            if question is not None:
                yield place, question
            continue
        text, pair = _texts(columns, row, place)
        if spec.head == "value":
            yield place, Scored(text, pair or "", _value(label, columns.label, spec.scale, place))
        else:
            name = label_name(label, place, columns.label)
            yield place, Example(text, pair, columns.names.get(name, name))


def unlabelled_examples(spec: TaskSpec, source: str, rows: Iterable[Row]) -> Iterator[AnyExample]:
    """Examples of rows without reading their labels; see `labelled_examples`.

    For tags, rows may have a `text` instead of words: each of its lines becomes a sentence.
    """
    for place, columns, row in _chosen(spec, source, rows, labelled=False):
        if spec.head == "tags" and isinstance(row[columns.text], str):
            lines = str(row[columns.text]).splitlines()
            yield from (unlabelled(spec, line, None) for line in lines if line.strip())
        elif spec.head == "tags":
            yield TaggedWords(_items(row, columns.text, place), [])
        else:
            yield unlabelled(spec, *_texts(columns, row, place))


def unlabelled(spec: TaskSpec, text: str, pair: str | None) -> AnyExample:
    """An unlabelled example; for tags, the text is split at white space and punctuation.

    Raises:
        SelectraError: the task is question answering.
    """
    if spec.head == "spans":
        raise SelectraError(f"task '{spec.name}' cannot use unlabelled text: it has no questions")
    if spec.head == "tags":
        return TaggedWords(split_words(text), [])
    if spec.head == "value":
        return Scored(text, pair or "", math.nan)
    return Example(text, pair, "")


def _chosen(
    spec: TaskSpec, source: str, rows: Iterable[Row], *, labelled: bool
) -> Iterator[tuple[str, ColumnSpec, Mapping[str, Any]]]:
    """Rows to read, with the names of their columns, after checking for empty texts and labels."""
    found = list(rows)
    if not found:
        return
    # annotation tools leave out keys without a value
    names = dict.fromkeys(column for _, row in found for column in row)
    columns = _columns_of(spec, source, list(names), labelled=labelled)
    for place, row in found:
        if "_task_hash" in row and row.get("answer", "accept") != "accept":
            continue  # rejected or skipped by an annotator (Prodigy)
        if any(row.get(column, value) != value for column, value in columns.only.items()):
            continue
        if any(str(row.get(column)) in columns.untranslated for column in columns.texts):
            continue
        if labelled and row.get(columns.label) is UNLABELLED:
            continue
        text_only = not labelled or _is_marked(spec, columns, row)
        for column in columns.texts if text_only else columns.all:
            value = row.get(column)
            if value is None or value != value or (isinstance(value, str) and not value.strip()):
                raise SelectraError(f"{place}: column '{column}' is empty")
            if isinstance(value, str):
                _refuse_halves(value, f"{place}: column '{column}'")
        yield place, columns, row


def _refuse_halves(text: str, place: str) -> None:
    """Reject half surrogate pairs, which are possible as escapes in JSON."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise SelectraError(f"{place}: half a surrogate pair at {error.start + 1}") from error


def _columns_of(spec: TaskSpec, source: str, found: Sequence[str], *, labelled: bool) -> ColumnSpec:
    known = spec.columns
    if spec.head == "tags" and not labelled:
        known = (*known, _PLAIN_TEXT)
    needs = [columns.all if labelled else columns.texts for columns in known]
    for columns, needed in zip(known, needs, strict=True):
        if set(needed) <= set(found):
            return columns
    wanted = " or ".join(dict.fromkeys("/".join(needed) for needed in needs))
    raise SelectraError(
        f"{source}: missing column for task '{spec.name}': it needs {wanted}, "
        f"there are {'/'.join(found)} (the settings text_column, label_column choose others)"
    )


def _texts(columns: ColumnSpec, row: Mapping[str, Any], place: str) -> tuple[str, str | None]:
    for column in columns.texts:
        if not isinstance(row[column], (str, int, float)):
            kind = type(row[column]).__name__
            raise SelectraError(f"{place}: column '{column}' must have a text, not a {kind}")
    return str(row[columns.text]), str(row[columns.pair]) if columns.pair else None


def _is_marked(spec: TaskSpec, columns: ColumnSpec, row: Mapping[str, Any]) -> bool:
    """Whether a row has a text with entities rather than words with tags."""
    spans = row.get(columns.label)
    tags = isinstance(spans, list) and any(isinstance(tag, str) for tag in spans)
    return spec.entities and isinstance(row.get(columns.text), str) and not tags


def _tagged(
    spec: TaskSpec, columns: ColumnSpec, row: Mapping[str, Any], place: str
) -> TaggedWords | MarkedText:
    if _is_marked(spec, columns, row):
        return marked_text(row[columns.text], row.get(columns.label), place, columns.label)
    words, tags = _items(row, columns.text, place), _items(row, columns.label, place)
    if len(words) != len(tags):
        raise SelectraError(
            f"{place}: {len(words)} words in column '{columns.text}', "
            f"{len(tags)} tags in column '{columns.label}'"
        )
    tags = [label_name(tag, place, columns.label) for tag in tags]
    tags = [columns.names.get(tag, tag) for tag in tags]
    if spec.entities:
        return entity_words(words, tags, place, spec.drop)
    kept = [(word, tag) for word, tag in zip(words, tags, strict=True) if tag != NO_TAG]
    return TaggedWords([word for word, _ in kept], [tag for _, tag in kept])


def _items(row: Mapping[str, Any], column: str, place: str) -> list[str]:
    items = row[column]
    if not isinstance(items, list):
        raise SelectraError(f"{place}: column '{column}' is not a list ({items!r})")
    if any(item is None or item == "" for item in items):
        raise SelectraError(f"{place}: an item of column '{column}' is empty")
    texts = [str(item) for item in items]
    _refuse_halves("".join(texts), f"{place}: column '{column}'")
    return texts


def _value(label: Any, column: str, scale: tuple[float, float] | None, place: str) -> float:
    try:
        value = float(label)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise SelectraError(f"{place}: '{label}' in column '{column}' is not a number")
    if scale and not scale[0] <= value <= scale[1]:
        raise SelectraError(
            f"{place}: {label} in column '{column}' is not between {scale[0]:g} and {scale[1]:g}"
        )
    return value
