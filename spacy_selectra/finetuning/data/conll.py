"""Tagged sentences from column files, such as CoNLL-2002's (Tjong Kim Sang 2002)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spacy_selectra.corpus.lines import numbered_lines
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.columns import sentence_rows
from spacy_selectra.finetuning.data.examples import TaggedWords
from spacy_selectra.finetuning.data.labels import label_name

_SECOND_TAG = re.compile(r"[|,;/+ ](?:O$|[BIESLU]-)")
_PREFIXES = ("B", "I", "E", "S", "L", "U")

# The tag of a contraction listed together with its parts ("del" with "de" and "el") in copies of
# Universal Dependencies without word numbers.
NO_TAG = "_"


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
    """The sentences of a file; None for a `-DOCSTART-` line, which begins a new document.

    The word is in the first column, the entity tag in the last one. IOB1, IOB2 and IOBES are
    supported: an entity begins at B, at S, and at any tag with another type than that of the
    previous word. Comments before a sentence are skipped: lines that begin with "# " and do not
    have a word and a tag.

    Raises:
        SelectraError: the file is missing, empty, not UTF-8, or a line is malformed.
    """
    found = False
    for rows in sentence_rows(path, _is_entity_tag):
        if rows is None:
            yield None
            continue
        found = True
        places = [f"{path}, line {line}" for line in rows.lines]
        yield Sentence(rows.words, entities_of(rows.tags, places))
    if not found:
        raise SelectraError(f"{path}: no sentences (empty file)")


def entities_of(tags: Sequence[str], places: Sequence[str]) -> list[tuple[int, int, str]]:
    """(first word, word after the last, type) of each entity.

    Args:
        tags: for each word O or an entity tag in IOB1, IOB2, IOBES or BILOU.
        places: file and line of each tag, for errors.

    Raises:
        SelectraError: unknown kind of tag.
    """
    found: list[tuple[int, int, str]] = []
    before, kind_before = "O", ""
    for word, (tag, place) in enumerate(zip(tags, places, strict=True)):
        if not _is_entity_tag(tag):
            raise SelectraError(f"{place}: '{tag}' is not an entity tag such as O, B-PER or I-LOC")
        prefix, _, kind = tag.partition("-")
        kind = kind and label_name(kind, place)
        if _SECOND_TAG.search(kind):
            raise SelectraError(f"{place}: '{tag}' is more than one tag per word")
        if prefix in "BSU" or (prefix != "O" and (before in "OESLU" or kind != kind_before)):
            found.append((word, word + 1, kind))
        elif prefix != "O":
            found[-1] = (found[-1][0], word + 1, kind)
        before, kind_before = prefix, kind
    return found


def _is_entity_tag(tag: str) -> bool:
    prefix, dash, kind = tag.partition("-")
    return tag == "O" or (prefix in _PREFIXES and bool(dash) and bool(kind.strip()))


def entity_sentences(path: Path, drop: Iterable[str] = ()) -> Iterator[TaggedWords]:
    """Sentences with IOB2 tags, O for types in `drop`; see `read_sentences`."""
    for sentence in read_sentences(path):
        if sentence is not None:
            yield TaggedWords(sentence.words, iob2_tags(sentence, drop))


def entity_words(
    words: Sequence[str], tags: Sequence[str], place: str, drop: Iterable[str] = ()
) -> TaggedWords:
    """Convert tags in any scheme to IOB2; see `entities_of`."""
    sentence = Sentence(list(words), entities_of(tags, [place] * len(words)))
    return TaggedWords(sentence.words, iob2_tags(sentence, drop))


def iob2_tags(sentence: Sentence, drop: Iterable[str] = ()) -> list[str]:
    """IOB2 tags of the words (Tjong Kim Sang and Veenstra 1999), O for types in `drop`."""
    tags = ["O"] * len(sentence.words)
    for first, end, kind in sentence.entities:
        if kind not in drop:
            tags[first:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - first - 1)]
    return tags


def tagged_sentences(path: Path) -> Iterator[TaggedWords]:
    """Sentences of a file with the word in the first column and any tag in the last.

    Raises:
        SelectraError: the file is missing or not UTF-8, or a line is malformed.
    """
    for rows in sentence_rows(path, None):
        if rows is not None:
            yield TaggedWords(rows.words, rows.tags)


def conllu_sentences(path: Path) -> Iterator[TaggedWords]:
    """Sentences of a CoNLL-U file (universaldependencies.org/format): forms and UPOS tags.

    Multiword tokens (number 1-2: "del" above "de", "el") and empty nodes (1.1) are left out.

    Raises:
        SelectraError: the file is missing or not UTF-8, or a line does not have ten columns.
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
        tags.append(label_name(fields[3], f"{path}, line {number}"))
    if words:
        yield TaggedWords(words, tags)
