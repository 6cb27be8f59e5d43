"""Sentences with entity tags from files in CoNLL-2002's column format (Tjong Kim Sang 2002)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.rows import numbered_lines

_PREFIXES = ("B", "I", "E", "S", "L", "U")


@dataclass
class Sentence:
    """Words and their entities.

    Attributes:
        words: n words.
        entities: (first word, word after the last, type).
    """

    words: list[str] = field(default_factory=list)
    entities: list[tuple[int, int, str]] = field(default_factory=list)


def read_sentences(path: str | Path) -> Iterator[Sentence | None]:
    """Stream the sentences of a file; None where a `-DOCSTART-` line begins a new document.

    Columns are separated by spaces or tabs; the word is the first, the tag the last one.
    IOB1, IOB2 and IOBES are all understood: an entity begins at B, at S, and at any tag
    whose type differs from that of the word before.

    Raises:
        SelectraError: the file is missing, empty, not UTF-8, or a line is malformed.
    """
    found = False
    sentence, previous = Sentence(), "O"
    for number, line in numbered_lines(path):
        fields = split_columns(line)
        if not fields or fields[0] == "-DOCSTART-":
            if sentence.words:
                found = True
                yield sentence
            sentence, previous = Sentence(), "O"
            if fields:
                yield None
            continue
        if len(fields) < 2:
            raise SelectraError(
                f"{path}, line {number}: a word without a tag ('{line.strip()}'); each line "
                "holds a word and its tag, separated by a space or tab"
            )
        add_word(sentence, fields[0], fields[-1], previous, f"{path}, line {number}")
        previous = fields[-1]
    if sentence.words:
        found = True
        yield sentence
    if not found:
        raise SelectraError(f"{path}: no sentences in it (empty file)")


def split_columns(line: str) -> list[str]:
    """Columns separated by spaces and tabs; a no-break space ("5\u00a0000") is part of a word."""
    return re.split(r"[ \t]+", line.strip(" \t")) if line.strip() else []


def add_word(sentence: Sentence, word: str, tag: str, previous: str, place: str) -> None:
    """Append a word to a sentence, and begin or lengthen an entity as its tag says.

    Args:
        sentence: changed in place.
        word: the word.
        tag: O or an entity tag in IOB1, IOB2 or IOBES.
        previous: tag of the word before, "O" for the first one.
        place: named in errors.

    Raises:
        SelectraError: no such tag.
    """
    sentence.words.append(word)
    if tag == "O":
        return
    prefix, dash, kind = tag.partition("-")
    if prefix not in _PREFIXES or not dash or not kind:
        raise SelectraError(f"{place}: '{tag}' is no entity tag such as O, B-PER or I-LOC")
    last = len(sentence.words)
    begins = (
        prefix in "BSU"
        or previous == "O"
        or previous.partition("-")[2] != kind
        or previous[0] in "ESLU"
    )
    if begins:
        sentence.entities.append((last - 1, last, kind))
    else:
        first, _, _ = sentence.entities[-1]
        sentence.entities[-1] = (first, last, kind)
