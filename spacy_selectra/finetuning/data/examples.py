"""What a task is learnt from: one kind of example for each kind of head."""

from __future__ import annotations

from typing import NamedTuple


class Example(NamedTuple):
    """One labelled text, or pair of texts if `pair` is not None; label "" if there is none."""

    text: str
    pair: str | None
    label: str


class Scored(NamedTuple):
    """A pair of texts and its value, as in the data (STS: 0 to 5); nan if there is none."""

    text: str
    pair: str
    value: float


class TaggedWords(NamedTuple):
    """A sentence: n words and n tags (IOB2 for entities), or no tags if there are none."""

    words: list[str]
    tags: list[str]


class MarkedText(NamedTuple):
    """A text and its entities: (first character, the one after the last, type), in order."""

    text: str
    entities: list[tuple[int, int, str]]


class Question(NamedTuple):
    """A question on a text.

    Attributes:
        id: its name in the data set.
        context: the text.
        question: what is asked.
        answers: right answers and the place of their first character in the context; empty
            if the text does not answer the question (SQuAD 2.0).
    """

    id: str
    context: str
    question: str
    answers: list[tuple[str, int]]


AnyExample = Example | Scored | TaggedWords | Question


def count_words(example: AnyExample) -> int:
    """Words of an example's texts, as white space separates them."""
    if isinstance(example, TaggedWords):
        return len(example.words)
    if isinstance(example, Question):
        return len(f"{example.question} {example.context}".split())
    return len(f"{example.text} {example.pair or ''}".split())
