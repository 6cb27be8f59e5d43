"""Examples: one class for each kind of head."""

from __future__ import annotations

from typing import NamedTuple


class Example(NamedTuple):
    """A text, or a pair of texts if `pair` is not None, and its label; "" if unlabelled."""

    text: str
    pair: str | None
    label: str


class Scored(NamedTuple):
    """A pair of texts and its value, as in the data (STS: 0 to 5); nan if unlabelled."""

    text: str
    pair: str
    value: float


class TaggedWords(NamedTuple):
    """A sentence: n words and n tags (IOB2 for entities); no tags if unlabelled."""

    words: list[str]
    tags: list[str]


class MarkedText(NamedTuple):
    """A text and its entities in order: (first character, character after the last, type)."""

    text: str
    entities: list[tuple[int, int, str]]


class Question(NamedTuple):
    """A question on a text.

    Attributes:
        id: in the data set.
        context: the text.
        question: the question.
        answers: correct answers and the offset of their first character in the context; empty if
            the question has no answer (SQuAD 2.0).
    """

    id: str
    context: str
    question: str
    answers: list[tuple[str, int]]


AnyExample = Example | Scored | TaggedWords | Question


def count_words(example: AnyExample) -> int:
    """Number of words of an example's texts, split at white space."""
    if isinstance(example, TaggedWords):
        return len(example.words)
    if isinstance(example, Question):
        return len(f"{example.question} {example.context}".split())
    return len(f"{example.text} {example.pair or ''}".split())
