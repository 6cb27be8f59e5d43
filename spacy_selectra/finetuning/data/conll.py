"""Sentences with tags from files that hold a word a line, such as CoNLL-2002's
(Tjong Kim Sang 2002).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.examples import TaggedWords
from spacy_selectra.finetuning.data.sources import numbered_lines

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


# Words with tags from files that hold a word a line.


# The tag of a contraction that stands beside its parts ("del" beside "de" and "el") in copies
# of Universal Dependencies without its word numbers.
NO_TAG = "_"


def entity_sentences(path: Path, drop: Iterable[str] = ()) -> Iterator[TaggedWords]:
    """Sentences of a file with the word in the first column and its entity tag in the last.

    Raises:
        SelectraError: as `spacy_selectra.finetuning.data.conll.read_sentences`.
    """
    for sentence in read_sentences(path):
        if sentence is not None:
            yield TaggedWords(sentence.words, iob2_tags(sentence, drop))


def entity_words(
    words: Sequence[str], tags: Sequence[str], place: str, drop: Iterable[str] = ()
) -> TaggedWords:
    """Words with tags in IOB1, IOB2 or IOBES as words with IOB2 tags.

    Raises:
        SelectraError: a tag that is none.
    """
    sentence, previous = Sentence(), "O"
    for word, tag in zip(words, tags, strict=True):
        add_word(sentence, word, tag, previous, place)
        previous = tag
    return TaggedWords(sentence.words, iob2_tags(sentence, drop))


def iob2_tags(sentence: Sentence, drop: Iterable[str] = ()) -> list[str]:
    """A tag a word (IOB2: Tjong Kim Sang and Veenstra 1999), O for entities of a type in `drop`."""
    tags = ["O"] * len(sentence.words)
    for first, end, kind in sentence.entities:
        if kind not in drop:
            tags[first:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - first - 1)]
    return tags


def tagged_sentences(path: Path) -> Iterator[TaggedWords]:
    """Sentences of a file with the word in the first column and any tag in the last.

    Raises:
        SelectraError: the file is missing or not UTF-8, or a word has no tag.
    """
    words: list[str] = []
    tags: list[str] = []
    for number, line in numbered_lines(path):
        fields = split_columns(line)
        if fields and fields[0] != "-DOCSTART-":
            if len(fields) < 2:
                raise SelectraError(f"{path}, line {number}: a word without a tag ('{fields[0]}')")
            words.append(fields[0])
            tags.append(fields[-1])
        elif words:
            yield TaggedWords(words, tags)
            words, tags = [], []
    if words:
        yield TaggedWords(words, tags)


def conllu_sentences(path: Path) -> Iterator[TaggedWords]:
    """Sentences of a CoNLL-U file (universaldependencies.org/format): forms and UPOS tags.

    Ranges of words (number 1-2: "del" above "de", "el") and empty nodes (1.1) are left out.

    Raises:
        SelectraError: the file is missing or not UTF-8, or a line has not ten columns.
    """
    words: list[str] = []
    tags: list[str] = []
    for number, line in numbered_lines(path):
        if line.startswith("#"):
            continue
        if not line.strip():
            if words:
                yield TaggedWords(words, tags)
                words, tags = [], []
            continue
        fields = line.split("\t")
        if len(fields) != 10:
            raise SelectraError(
                f"{path}, line {number}: {len(fields)} columns separated by tabs, CoNLL-U has 10"
            )
        if not fields[0].isdecimal():
            continue
        if fields[3] == NO_TAG:
            raise SelectraError(f"{path}, line {number}: a word without a tag ('{fields[1]}')")
        words.append(fields[1])
        tags.append(fields[3])
    if words:
        yield TaggedWords(words, tags)
