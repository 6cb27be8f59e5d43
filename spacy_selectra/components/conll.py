"""Sentences with entity tags from files in CoNLL-2002's column format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from spacy_selectra.errors import SelectraError

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
        fields = line.split()
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
        _add(sentence, fields[0], fields[-1], previous, f"{path}, line {number}")
        previous = fields[-1]
    if sentence.words:
        found = True
        yield sentence
    if not found:
        raise SelectraError(f"{path}: no sentences in it (empty file)")


def numbered_lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """Lines of a UTF-8 file and their numbers from 1.

    Raises:
        SelectraError: the file is missing or not UTF-8.
    """
    if not Path(path).is_file():
        raise SelectraError(f"{path}: no such file")
    number = 0
    with open(path, "rb") as stream:
        for number, raw in enumerate(stream, start=1):
            try:
                yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise SelectraError(
                    f"{path}, line {number}: not UTF-8 ({error.reason}); convert it with "
                    f"iconv -f latin1 -t utf-8, if it is Latin-1"
                ) from error


def _add(sentence: Sentence, word: str, tag: str, previous: str, place: str) -> None:
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
