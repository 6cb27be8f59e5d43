"""Entities as character offsets, the format of annotation tools, and their conversion to tags."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.conll import Sentence, iob2_tags
from spacy_selectra.finetuning.data.examples import MarkedText, TaggedWords
from spacy_selectra.finetuning.data.labels import label_name

# A number with its separators, letters (and combining accents), or one other character.
_WORD = re.compile(r"\d+(?:[.,:]\d+)*|[\w\u0300-\u036f]+|[^\w\s]")

# Keys of start, end and type: spaCy and Prodigy, doccano, Label Studio (type in a list).
_KEYS = (
    ("start", "end", "label"),
    ("start_offset", "end_offset", "label"),
    ("start", "end", "labels"),
)


def split_words(text: str) -> list[str]:
    """Split a text at white space and punctuation; punctuation marks are words, too."""
    return _WORD.findall(text)


def marked_text(text: str, spans: Any, place: str, column: str) -> MarkedText:
    """A text with its entities, after checking their offsets.

    Args:
        text: the text.
        spans: list of `[start, end, type]` or of objects with these (`_KEYS`); None for none.
        place: file and line, for errors.
        column: of `spans`, for errors.

    Raises:
        SelectraError: entities have another form, are outside of the text, overlap, or begin or
            end with white space.
    """
    if spans is not None and not isinstance(spans, list):
        raise SelectraError(f"{place}: column '{column}' is not a list of entities ({spans!r})")
    found: list[tuple[int, int, str]] = []
    for span in sorted((_span(item, place, column) for item in spans or ()), key=lambda s: s[:2]):
        start, end, kind = span
        if not 0 <= start < end <= len(text):
            raise SelectraError(
                f"{place}: entity [{start}, {end}, {kind}] is not within the {len(text)} "
                "characters of the text"
            )
        if found and span == found[-1]:
            continue  # duplicate of two annotators
        if found and start < found[-1][1]:
            raise SelectraError(
                f"{place}: {_named(text, *found[-1])} and {_named(text, *span)} "
                "overlap; a word can have one type only"
            )
        if text[start:end] != text[start:end].strip():
            raise SelectraError(f"{place}: {_named(text, *span)} begins or ends with white space")
        found.append(span)
    return MarkedText(text, found)


def _span(item: Any, place: str, column: str) -> tuple[int, int, str]:
    values = item
    if isinstance(item, Mapping):
        keys = next((keys for keys in _KEYS if item.keys() >= set(keys)), _KEYS[0])
        values = [item.get(key) for key in keys]
        if keys[2] == "labels" and isinstance(values[2], list) and len(values[2]) == 1:
            values[2] = values[2][0]
    start, end, kind = values if isinstance(values, list) and len(values) == 3 else (None,) * 3
    if type(start) is not int or type(end) is not int:
        raise SelectraError(
            f"{place}: an entity in column '{column}' must be [start, end, type] or an object "
            f"with start, end and label, in characters of the text, not {item!r}"
        )
    return start, end, label_name(kind, place, column)


def in_words(marked: MarkedText, place: str, drop: Iterable[str] = ()) -> TaggedWords:
    """The words of a text (`split_words`) with IOB2 tags, O for types in `drop`.

    Raises:
        SelectraError: an entity begins or ends within a word.
    """
    words = list(_WORD.finditer(marked.text))
    first = {word.start(): number for number, word in enumerate(words)}
    last = {word.end(): number + 1 for number, word in enumerate(words)}
    sentence = Sentence([word.group() for word in words])
    for start, end, kind in marked.entities:
        if start not in first or end not in last:
            raise misaligned(marked.text, start, end, kind, place)
        sentence.entities.append((first[start], last[end], kind))
    return TaggedWords(sentence.words, iob2_tags(sentence, drop))


def misaligned(text: str, start: int, end: int, kind: str, place: str) -> SelectraError:
    """The error for an entity that begins or ends within a word."""
    left, right = start, end
    while left and not text[left - 1].isspace():
        left -= 1
    while right < len(text) and not text[right].isspace():
        right += 1
    return SelectraError(
        f"{place}: {_named(text, start, end, kind)} does not begin and end at word boundaries, "
        f"but is in '{text[left:right]}'; offsets must be in characters, not bytes"
    )


def _named(text: str, start: int, end: int, kind: str) -> str:
    return f"entity '{text[start:end]}' ({kind}, characters {start} to {end})"
