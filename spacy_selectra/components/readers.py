"""Corpora for `spacy train`: entities, labelled texts and labelled pairs."""

# No postponed annotations here: confection reads those of registered functions at run time.

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_selectra.corpus.compression import split_suffix
from spacy_selectra.corpus.readers import read_documents
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.conll import Sentence, read_sentences
from spacy_selectra.finetuning.data.sources import json_objects, numbered_lines, unquoted

Reader = Callable[[Language], Iterable[Example]]


@dataclass(frozen=True)
class Row:
    """One line of a file: its texts, its label, and where it stands."""

    texts: tuple[str, ...]
    label: str
    line: int


def conll_reader(
    path: str | Path | None,
    label_map: dict[str, str] | None = None,
    limit: int = 0,
    sentences_per_doc: int = 1,
) -> Reader:
    """`spacy-selectra.Conll.v1`: entities in CoNLL-2002's columns, word first and tag last.

    Documents keep the file's own words, so scores compare with published ones; spaces
    between them are guessed by the rules of Spanish punctuation.

    Args:
        path: UTF-8 file, columns separated by spaces or tabs, sentences by blank lines.
        label_map: names to give to entity types; others stay as they are.
        limit: most documents to read; 0 for all.
        sentences_per_doc: sentences joined to a document; none reaches over a
            `-DOCSTART-` line.

    Raises:
        SelectraError: when read: missing, empty or malformed file, with the line.
    """
    source = _given(path)
    if sentences_per_doc < 1:
        raise SelectraError(f"sentences_per_doc = {sentences_per_doc} is not positive")
    names = dict(label_map or {})

    def read(nlp: Language) -> Iterator[Example]:
        groups = _grouped(read_sentences(source), sentences_per_doc)
        for sentences in islice(groups, limit or None):
            reference = _conll_doc(nlp, sentences, names)
            yield Example(_bare_copy(nlp, reference), reference)

    return read


def text_reader(path: str | Path | None, labels: list[str] | None = None, limit: int = 0) -> Reader:
    """`spacy-selectra.Text.v1`: one document a row, its label as `doc.cats`.

    Args:
        path: `.jsonl` with keys "text" and "label", `.tsv` with such a header, or text without
            categories: `.txt` (documents separated by blank lines, also compressed) or a folder
            of whatever `corpus` commands read.
        labels: all categories; those of the file if None. Every document gets all of
            them, 1 for its own and 0 for the others.
        limit: most documents to read; 0 for all.

    Raises:
        SelectraError: when read: missing, empty or malformed file, with the line, or one of
            another format.
    """
    source = _given(path)

    def read(nlp: Language) -> Iterator[Example]:
        if source.is_dir() or split_suffix(source)[0] == ".txt":
            for document in islice(read_documents(source), limit or None):
                yield _categorised(nlp, nlp.make_doc(document.text), {})
            return
        rows = read_texts(source)
        for row, cats in _with_cats(source, rows, labels, limit):
            yield _categorised(nlp, nlp.make_doc(row.texts[0]), cats)

    return read


def pairs_reader(
    path: str | Path | None, labels: list[str] | None = None, limit: int = 0
) -> Reader:
    """`spacy-selectra.Pairs.v1`: one document a pair, its label as `doc.cats`.

    The two texts stand one after the other, separated by a line feed;
    `doc.spans["pair"]` holds both, in order.

    Args:
        path: `.jsonl` or `.tsv` with "label" and "premise" and "hypothesis", or "sentence1"
            and "sentence2", or "text1" and "text2".
        labels: all categories; those of the file if None.
        limit: most pairs to read; 0 for all.

    Raises:
        SelectraError: when read: missing, empty or malformed file, with the line.
    """
    source = _given(path)

    def read(nlp: Language) -> Iterator[Example]:
        rows = read_pairs(source)
        for row, cats in _with_cats(source, rows, labels, limit):
            yield _categorised(nlp, _pair_doc(nlp, row), cats)

    return read


def _given(path: str | Path | None) -> Path:
    if not path:
        raise SelectraError("a corpus reader has no path: set it, e.g. --paths.train FILE")
    return Path(path)


def _grouped(sentences: Iterable[Sentence | None], size: int) -> Iterator[list[Sentence]]:
    group: list[Sentence] = []
    for sentence in sentences:
        if sentence is not None:
            group.append(sentence)
        if group and (sentence is None or len(group) == size):
            yield group
            group = []
    if group:
        yield group


def _conll_doc(nlp: Language, sentences: list[Sentence], names: dict[str, str]) -> Doc:
    words: list[str] = []
    spaces: list[bool] = []
    starts: list[bool | int | None] = []
    entities: list[tuple[int, int, str]] = []
    for sentence in sentences:
        if spaces:
            spaces[-1] = True
        entities += [
            (first + len(words), last + len(words), names.get(kind, kind))
            for first, last, kind in sentence.entities
        ]
        words += sentence.words
        spaces += guess_spaces(sentence.words)
        starts += [index == 0 for index in range(len(sentence.words))]
    doc = Doc(nlp.vocab, words=words, spaces=spaces, sent_starts=starts)
    doc.set_ents([Span(doc, first, last, label=kind) for first, last, kind in entities])
    return doc


def _bare_copy(nlp: Language, doc: Doc) -> Doc:
    return Doc(
        nlp.vocab,
        words=[token.text for token in doc],
        spaces=[bool(token.whitespace_) for token in doc],
    )


def _with_cats(
    path: Path, rows: list[Row], labels: list[str] | None, limit: int
) -> Iterator[tuple[Row, dict[str, float]]]:
    # all labels of the file, also of rows beyond the limit
    known = sorted({row.label for row in rows}) if labels is None else list(labels)
    for row in rows[: limit or None]:
        if row.label not in known:
            raise SelectraError(
                f"{path}, line {row.line}: label '{row.label}' is not one of {', '.join(known)}"
            )
        yield row, {label: float(label == row.label) for label in known}


def _pair_doc(nlp: Language, row: Row) -> Doc:
    first, second = row.texts
    doc = nlp.make_doc(f"{first}\n{second}")
    whole = len(first)
    spans = [
        doc.char_span(0, whole, alignment_mode="contract"),
        doc.char_span(whole + 1, whole + 1 + len(second), alignment_mode="contract"),
    ]
    doc.spans["pair"] = [span for span in spans if span is not None]
    return doc


def _categorised(nlp: Language, predicted: Doc, cats: dict[str, float]) -> Example:
    reference = predicted.copy()
    reference.cats = cats
    return Example(predicted, reference)


__all__ = ["conll_reader", "pairs_reader", "text_reader"]


# Where spaces were in Spanish text that only comes as a list of words.


_NO_SPACE_BEFORE = frozenset([*",.;:!?)]}»”…%º", "..."])
_NO_SPACE_AFTER = frozenset("([{«“¿¡")
_EITHER_SIDE = frozenset("\"'")


def guess_spaces(words: Sequence[str]) -> list[bool]:
    """Whether a space follows each word, by the rules of Spanish punctuation.

    Straight quotation marks open and close in turn. The last word is followed by none.
    """
    spaces = [True] * len(words)
    open_quotes: set[str] = set()
    for index, word in enumerate(words):
        closes = word in open_quotes
        if index and (word in _NO_SPACE_BEFORE or closes):
            spaces[index - 1] = False
        if word in _NO_SPACE_AFTER or (word in _EITHER_SIDE and not closes):
            spaces[index] = False
        if word in _EITHER_SIDE:
            open_quotes ^= {word}
    if spaces:
        spaces[-1] = False
    return spaces


# Texts and pairs of texts with labels, from jsonl and tsv files.


# Names under which data sets store the two texts of a pair.
PAIR_KEYS = (("premise", "hypothesis"), ("sentence1", "sentence2"), ("text1", "text2"))


def read_texts(path: str | Path) -> list[Row]:
    """Rows with `text` and `label`.

    Raises:
        SelectraError: the file is missing, empty, of another format, or a line is malformed.
    """
    return _read(path, (("text",),))


def read_pairs(path: str | Path) -> list[Row]:
    """Rows with two texts, named as one of `PAIR_KEYS`, and `label`. Raises as `read_texts`."""
    return _read(path, PAIR_KEYS)


def _read(path: str | Path, candidates: Sequence[tuple[str, ...]]) -> list[Row]:
    suffix = Path(path).suffix.lower()
    if suffix == ".jsonl":
        values = json_objects(path, numbered_lines(path))
    elif suffix == ".tsv":
        values = _tsv(path)
    else:
        raise SelectraError(f"{path}: unknown format '{suffix}'; known are .jsonl and .tsv")
    rows: list[Row] = []
    keys: tuple[str, ...] | None = None
    for line, value in values:
        keys = keys or next((names for names in candidates if names[0] in value), candidates[0])
        missing = [key for key in (*keys, "label") if value.get(key) is None]
        if missing:
            raise SelectraError(
                f"{path}, line {line}: no '{missing[0]}' (found {', '.join(map(str, value))})"
            )
        rows.append(Row(tuple(str(value[key]) for key in keys), str(value["label"]), line))
    if not rows:
        raise SelectraError(f"{path}: no rows in it (empty file)")
    return rows


def _tsv(path: str | Path) -> Iterator[tuple[int, dict]]:
    header: list[str] | None = None
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        fields = [unquoted(field) for field in line.split("\t")]
        if header is None:
            header = fields
        elif len(fields) != len(header):
            raise SelectraError(
                f"{path}, line {number}: {len(fields)} columns where the header has {len(header)}"
            )
        else:
            yield number, dict(zip(header, fields, strict=True))
