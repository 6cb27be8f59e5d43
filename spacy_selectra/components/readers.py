"""Corpora for `spacy train`: entities, labelled texts and labelled pairs."""

# No postponed annotations here: confection reads those of registered functions at run time.

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_selectra.components.labelled_text import Row, read_pairs, read_texts
from spacy_selectra.components.spacing import guess_spaces
from spacy_selectra.corpus.compression import split_suffix
from spacy_selectra.corpus.readers import read_documents
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.conll import Sentence, read_sentences

Reader = Callable[[Language], Iterable[Example]]


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
