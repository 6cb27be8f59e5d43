"""Corpora for `spacy train`: entities, labelled texts and labelled pairs."""

# No postponed annotations: confection reads those of registered functions at run time.

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_selectra.components.corpora import docbin
from spacy_selectra.components.corpora.given import (
    check_sentences_per_doc,
    given_path,
    without_annotation,
)
from spacy_selectra.corpus.compression import split_suffix
from spacy_selectra.corpus.documents import read_documents
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.conll import Sentence, entities_of, read_sentences
from spacy_selectra.finetuning.data.dataset import holds_columns, rows_of
from spacy_selectra.finetuning.data.examples import Example as Labelled
from spacy_selectra.finetuning.data.examples import MarkedText, TaggedWords
from spacy_selectra.finetuning.data.labels import label_name
from spacy_selectra.finetuning.data.parsing import placed_examples
from spacy_selectra.finetuning.data.spans import misaligned
from spacy_selectra.finetuning.tasks.columns import PAIR_COLUMNS
from spacy_selectra.finetuning.tasks.registry import NER, TOPICS, TaskSpec
from spacy_selectra.text.spacing import guess_spaces

Reader = Callable[[Language], Iterable[Example]]
Placed = tuple[str, Example]  # position in a file, for errors, and example

_PAIRS = replace(TOPICS, name="pairs", columns=PAIR_COLUMNS)

# Factories with entity types or categories as labels.
_ENTITIES = ("ner", "beam_ner", "selectra_ner")
_CATEGORIES = ("textcat", "textcat_multilabel", "selectra_textcat")


def conll_reader(
    path: str | Path | None,
    label_map: dict[str, str] | None = None,
    limit: int = 0,
    sentences_per_doc: int = 1,
) -> Reader:
    """`spacy-selectra.Conll.v1`: entities in CoNLL-2002 columns and other formats.

    Documents of column files keep the words of the file, so that scores are comparable with
    published ones; spaces follow the rules of Spanish punctuation. Texts with entity offsets are
    tokenized by the pipeline, and `.spacy` documents as in spaCy's corpus reader.

    Args:
        path: columns separated by tabs or spaces, with words first, tags last and blank lines
            between sentences; `.jsonl` with texts and entity offsets (Prodigy, doccano) or words
            and tags; `.spacy`, also a folder of such files.
        label_map: new names of entity types; others are kept. An empty name removes a type: its
            words are outside entities.
        limit: maximum number of documents; 0 for all.
        sentences_per_doc: sentences per document for column files; documents also end at
            `-DOCSTART-` lines.

    Raises:
        SelectraError: when read: missing, empty or malformed file, with the line; or an unknown
            entity type, if the pipeline is already initialised.
    """
    source = given_path(path)
    check_sentences_per_doc(sentences_per_doc)
    names = dict(label_map or {})

    def read(nlp: Language) -> Iterator[Example]:
        known = _known_labels(nlp, _ENTITIES)
        found = read_entities(nlp, source, names, sentences_per_doc)
        for place, example in islice(found, limit or None):
            _refuse_unknown(place, (entity.label_ for entity in example.reference.ents), known)
            yield example

    return read


def text_reader(
    path: str | Path | None,
    labels: list[str] | None = None,
    limit: int = 0,
    text_column: str | None = None,
    label_column: str | None = None,
) -> Reader:
    """`spacy-selectra.Text.v1`: one document per row, with its label in `doc.cats`.

    Args:
        path: `.jsonl`, `.tsv` or `.csv` with "text" and "label" (or "category"), also compressed;
            `.spacy` with categories; or text without categories: `.txt` (documents separated by
            blank lines) or a folder in any format of the `corpus` commands.
        labels: all categories; those of the file if None. Every document gets all of
            them, 1 for its own and 0 for the others.
        limit: maximum number of documents; 0 for all.
        text_column: column or key of the text, if it has another name.
        label_column: column or key of the label, likewise.

    Raises:
        SelectraError: when read: missing, empty or malformed file, with the line, or an unknown
            format; or an unknown label, if the pipeline is already initialised.
    """
    source = given_path(path)
    spec = _with_names(TOPICS, text=text_column, label=label_column)
    given = _all_named(labels)

    def read(nlp: Language) -> Iterator[Example]:
        yield from _checked(nlp, islice(read_texts(nlp, source, given, spec), limit or None))

    return read


def pairs_reader(
    path: str | Path | None,
    labels: list[str] | None = None,
    limit: int = 0,
    text_column: str | None = None,
    pair_column: str | None = None,
    label_column: str | None = None,
) -> Reader:
    """`spacy-selectra.Pairs.v1`: one document per pair, with its label in `doc.cats`.

    The two texts are separated by a line feed. `doc.spans["pair"]` contains both, in order.

    Args:
        path: `.jsonl`, `.tsv` or `.csv` with "label" and "premise" and "hypothesis", or
            "sentence1" and "sentence2", or "text1" and "text2"; also compressed.
        labels: all categories; those of the file if None.
        limit: maximum number of pairs; 0 for all.
        text_column: column or key of the first text, if it has another name.
        pair_column: column or key of the second text, likewise.
        label_column: column or key of the label, likewise.

    Raises:
        SelectraError: as `text_reader`.
    """
    source = given_path(path)
    spec = _with_names(_PAIRS, text=text_column, pair=pair_column, label=label_column)
    given = _all_named(labels)

    def read(nlp: Language) -> Iterator[Example]:
        yield from _checked(nlp, islice(read_texts(nlp, source, given, spec), limit or None))

    return read


# Readers without a check for known labels, since evaluation data may have others.


def read_entities(
    nlp: Language, source: Path, names: Mapping[str, str], sentences_per_doc: int = 1
) -> Iterator[Placed]:
    """Positions and examples of a file; arguments as of `conll_reader`."""
    if source.is_dir() or split_suffix(source)[0] == docbin.SUFFIX:
        for place, doc in docbin.read_docs(source, nlp.vocab, names):
            yield place, _predicting(nlp, doc)
    elif holds_columns(NER, source, docbin.FORMATS):
        for sentences in _grouped(read_sentences(source), sentences_per_doc):
            reference = _conll_doc(nlp, sentences, names)
            yield str(source), Example(without_annotation(nlp, reference), reference)
    else:
        for place, example in placed_examples(NER, str(source), rows_of(NER, source)):
            if isinstance(example, MarkedText):
                reference = _marked_doc(nlp, example, names, place)
                yield place, Example(nlp.make_doc(example.text), reference)
            elif isinstance(example, TaggedWords) and example.words:
                places = [place] * len(example.words)
                sentence = Sentence(example.words, entities_of(example.tags, places))
                reference = _conll_doc(nlp, [sentence], names)
                yield place, Example(without_annotation(nlp, reference), reference)


def read_texts(
    nlp: Language, source: Path, labels: list[str] | None = None, spec: TaskSpec = TOPICS
) -> Iterator[Placed]:
    """Positions and examples of a file for `text_reader` or `pairs_reader`.

    Args:
        nlp: pipeline with the tokenizer.
        source: a file, or a folder of plain text.
        labels: all categories; those of the file if None.
        spec: single texts or pairs, with possible names of columns.

    Raises:
        SelectraError: missing, empty or malformed file, or a label that is not one of `labels`.
    """
    if not spec.pairs and (source.is_dir() or split_suffix(source)[0] == ".txt"):
        for document in read_documents(source):
            yield document.source, _categorised(nlp.make_doc(document.text), {})
        return
    if not spec.pairs and split_suffix(source)[0] == docbin.SUFFIX:
        for place, doc in docbin.read_docs(source, nlp.vocab):
            _refuse_others(place, doc.cats, labels)
            if labels is not None:
                doc.cats = {label: doc.cats.get(label, 0.0) for label in labels}
            yield place, _predicting(nlp, doc)
        return
    rows = [
        (place, row)
        for place, row in placed_examples(spec, str(source), rows_of(spec, source))
        if isinstance(row, Labelled)
    ]
    if not rows:
        raise SelectraError(f"{source}: no rows in it (empty file)")
    known = sorted({row.label for _, row in rows}) if labels is None else labels
    for place, row in rows:
        _refuse_others(place, [row.label], known)
        cats = {label: float(label == row.label) for label in known}
        if row.pair is None:
            yield place, _categorised(nlp.make_doc(row.text), cats)
        else:
            yield place, _categorised(_pair_doc(nlp, row.text, row.pair), cats)


def _refuse_others(place: str, found: Iterable[str], labels: list[str] | None) -> None:
    for label in found:
        if labels is not None and label not in labels:
            raise SelectraError(f"{place}: label '{label}' is not one of {', '.join(labels)}")


def _predicting(nlp: Language, reference: Doc) -> Example:
    """An example as from spaCy's corpus reader, with the pipeline's tokenization."""
    if reference.has_unknown_spaces:
        return Example(without_annotation(nlp, reference), reference)
    return Example(nlp.make_doc(reference.text), reference)


def _marked_doc(nlp: Language, marked: MarkedText, names: Mapping[str, str], place: str) -> Doc:
    doc = nlp.make_doc(marked.text)
    entities: list[Span] = []
    for start, end, kind in marked.entities:
        name = names.get(kind, kind)
        entity = doc.char_span(start, end, label=name or kind)
        if entity is None:
            raise misaligned(marked.text, start, end, kind, place)
        if name:
            entities.append(entity)
    doc.set_ents(entities)
    return doc


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


def _conll_doc(nlp: Language, sentences: list[Sentence], names: Mapping[str, str]) -> Doc:
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
            if names.get(kind, kind)
        ]
        words += sentence.words
        spaces += guess_spaces(sentence.words)
        starts += [index == 0 for index in range(len(sentence.words))]
    doc = Doc(nlp.vocab, words=words, spaces=spaces, sent_starts=starts)
    doc.set_ents([Span(doc, first, last, label=kind) for first, last, kind in entities])
    return doc


def _pair_doc(nlp: Language, first: str, second: str) -> Doc:
    doc = nlp.make_doc(f"{first}\n{second}")
    whole = len(first)
    spans = [
        doc.char_span(0, whole, alignment_mode="contract"),
        doc.char_span(whole + 1, whole + 1 + len(second), alignment_mode="contract"),
    ]
    doc.spans["pair"] = [span for span in spans if span is not None]
    return doc


def _categorised(predicted: Doc, cats: dict[str, float]) -> Example:
    reference = predicted.copy()
    reference.cats = cats
    return Example(predicted, reference)


def _with_names(spec: TaskSpec, **columns: str | None) -> TaskSpec:
    chosen: dict[str, Any] = {part: name for part, name in columns.items() if name is not None}
    renamed = (replace(own, **chosen) for own in spec.columns)
    return replace(spec, columns=tuple(renamed))


def _all_named(labels: list[str] | None) -> list[str] | None:
    return None if labels is None else [label_name(label, "labels") for label in labels]


def _known_labels(nlp: Language, factories: Sequence[str]) -> set[str] | None:
    """Labels of components of these factories; None before they have any."""
    pipes = [n for n in nlp.pipe_names if nlp.get_pipe_meta(n).factory in factories]
    labels = [set(nlp.pipe_labels.get(name, ())) for name in pipes]
    return set().union(*labels) if labels and all(labels) else None


def _refuse_unknown(place: str, labels: Iterable[str], known: set[str] | None) -> None:
    unknown = sorted(set(labels) - known) if known is not None else []
    if unknown:
        raise SelectraError(
            f"{place}: label '{unknown[0]}' is not one of the labels seen in training: "
            f"{', '.join(sorted(known or ()))}"
        )


def _checked(nlp: Language, examples: Iterable[Placed]) -> Iterator[Example]:
    known = _known_labels(nlp, _CATEGORIES)
    for place, example in examples:
        cats = example.reference.cats
        _refuse_unknown(place, (label for label, score in cats.items() if score), known)
        yield example


__all__ = ["conll_reader", "pairs_reader", "text_reader"]
