"""From rows of any source to the examples of a task."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.conll import NO_TAG, entity_words
from spacy_selectra.finetuning.data.examples import AnyExample, Example, Scored, TaggedWords
from spacy_selectra.finetuning.data.sources import UNLABELLED, Row
from spacy_selectra.finetuning.data.squad import question_of
from spacy_selectra.finetuning.tasks.columns import Layout
from spacy_selectra.finetuning.tasks.registry import Task

# A number with its separators, a run of letters (and combining accents), or one other sign.
_WORD = re.compile(r"\d+(?:[.,:]\d+)*|[\w\u0300-\u036f]+|[^\w\s]")

# Layout of unlabelled rows for tags that hold no words.
_PLAIN_TEXT = Layout(text="text", label="")


def labelled_examples(task: Task, source: str, rows: Iterable[Row]) -> Iterator[AnyExample]:
    """Examples of rows with labels.

    Args:
        task: what they are read for.
        source: file or hub data set, named in errors.
        rows: places and columns; all have the columns of the first one.

    Raises:
        SelectraError: missing column, empty text or label, or a label that cannot be one.
    """
    for place, layout, row in _chosen(task, source, rows, labelled=True):
        label = row.get(layout.label)
        if task.head == "tags":
            example = _tagged(task, layout, row, place)
            if example.words:
                yield example
            continue
        if task.head == "spans":
            columns = {"context": layout.text, "question": layout.pair, "answers": layout.label}
            named = {key: row[name] for key, name in columns.items()}
            question = question_of({**row, **named}, place)
            if question is not None:
                yield question
            continue
        text, pair = _texts(layout, row)
        if task.head == "value":
            yield Scored(text, pair or "", _value(label, layout.label, task.scale, place))
        else:
            yield Example(text, pair, layout.names.get(str(label), str(label)))


def unlabelled_examples(task: Task, source: str, rows: Iterable[Row]) -> Iterator[AnyExample]:
    """Examples of rows whose labels, if there are any, are not read; see `labelled_examples`.

    For tags, rows may hold a `text` instead of words: each of its lines becomes a sentence.
    """
    for place, layout, row in _chosen(task, source, rows, labelled=False):
        if layout is _PLAIN_TEXT:
            lines = str(row[layout.text]).splitlines()
            yield from (unlabelled(task, line, None) for line in lines if line.strip())
        elif task.head == "tags":
            yield TaggedWords(_items(row, layout.text, place), [])
        else:
            yield unlabelled(task, *_texts(layout, row))


def unlabelled(task: Task, text: str, pair: str | None) -> AnyExample:
    """An example without label; words are what white space and punctuation leave.

    Raises:
        SelectraError: the task asks questions, which no plain text holds.
    """
    if task.head == "spans":
        raise SelectraError(f"task '{task.name}' cannot use unlabelled text: it has no questions")
    if task.head == "tags":
        return TaggedWords(_WORD.findall(text), [])
    if task.head == "value":
        return Scored(text, pair or "", math.nan)
    return Example(text, pair, "")


def _chosen(
    task: Task, source: str, rows: Iterable[Row], *, labelled: bool
) -> Iterator[tuple[str, Layout, Mapping[str, Any]]]:
    """Rows that are to be read, with their layout; texts and labels are not empty."""
    layout: Layout | None = None
    for place, row in rows:
        if layout is None:
            layout = _layout_of(task, source, list(row), labelled=labelled)
        if any(row.get(column, value) != value for column, value in layout.only.items()):
            continue
        if any(str(row.get(column)) in layout.untranslated for column in layout.texts):
            continue
        if labelled and row.get(layout.label) is UNLABELLED:
            continue
        for column in layout.columns if labelled else layout.texts:
            if row.get(column) is None or row[column] == "":
                raise SelectraError(f"{place}: column '{column}' is empty")
        yield place, layout, row


def _layout_of(task: Task, source: str, columns: Sequence[str], *, labelled: bool) -> Layout:
    layouts = task.layouts
    if task.head == "tags" and not labelled:
        layouts = (*layouts, _PLAIN_TEXT)
    needs = [layout.columns if labelled else layout.texts for layout in layouts]
    for layout, needed in zip(layouts, needs, strict=True):
        if set(needed) <= set(columns):
            return layout
    wanted = " or ".join(dict.fromkeys("/".join(needed) for needed in needs))
    raise SelectraError(
        f"{source}: missing column for task '{task.name}': it needs {wanted}, "
        f"there are {'/'.join(columns)}"
    )


def _texts(layout: Layout, row: Mapping[str, Any]) -> tuple[str, str | None]:
    return str(row[layout.text]), str(row[layout.pair]) if layout.pair else None


def _tagged(task: Task, layout: Layout, row: Mapping[str, Any], place: str) -> TaggedWords:
    words, tags = _items(row, layout.text, place), _items(row, layout.label, place)
    if len(words) != len(tags):
        raise SelectraError(
            f"{place}: {len(words)} words in column '{layout.text}', "
            f"{len(tags)} tags in column '{layout.label}'"
        )
    tags = [layout.names.get(tag, tag) for tag in tags]
    if task.entities:
        return entity_words(words, tags, place, task.drop)
    kept = [(word, tag) for word, tag in zip(words, tags, strict=True) if tag != NO_TAG]
    return TaggedWords([word for word, _ in kept], [tag for _, tag in kept])


def _items(row: Mapping[str, Any], column: str, place: str) -> list[str]:
    items = row[column]
    if not isinstance(items, list):
        raise SelectraError(f"{place}: column '{column}' is no list ({items!r})")
    if any(item is None or item == "" for item in items):
        raise SelectraError(f"{place}: an item of column '{column}' is empty")
    return [str(item) for item in items]


def _value(label: Any, column: str, scale: tuple[float, float] | None, place: str) -> float:
    try:
        value = float(label)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise SelectraError(f"{place}: '{label}' in column '{column}' is no number")
    if scale and not scale[0] <= value <= scale[1]:
        raise SelectraError(
            f"{place}: {label} in column '{column}' is not within {scale[0]:g} and {scale[1]:g}"
        )
    return value
