"""Words with tags from files that hold a word a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.conll import Sentence, add_word, read_sentences, split_columns
from spacy_selectra.finetuning.data.examples import TaggedWords
from spacy_selectra.finetuning.data.rows import numbered_lines

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
