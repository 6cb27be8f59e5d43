"""`spacy-selectra.Annotated.v1`: documents that another pipeline annotated, to learn from it."""
# No postponed annotations: confection reads those of registered functions at run time.

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_selectra.components.corpora.docbin import read_docs
from spacy_selectra.components.corpora.given import check_sentences_per_doc, without_annotation

# What components of `configs/pipeline.cfg` learn, without topics, scores and spans.
_ATTRIBUTES: list[int | str] = ["TAG", "POS", "MORPH", "LEMMA", "SENT_START", "ENT_IOB", "ENT_TYPE"]


def annotated_reader(
    path: str | Path | None,
    sentences_per_doc: int = 3,
    limit: int = 0,
) -> Callable[[Language], Iterable[Example]]:
    """`spacy-selectra.Annotated.v1`: a pipeline's answers on plain text, as training data.

    A small pipeline learns more from a large one's answers on much text than from the labelled
    sentences alone (Kim and Rush 2016, "Sequence-level knowledge distillation", section 3.2). The
    file is what `selectra annotate PIPELINE TEXT FILE.spacy` writes. Documents keep entities, tags,
    parts of speech, features, lemmas and sentences; topics and spans are left out.

    Args:
        path: `.spacy` file, or a folder of them; None for no documents, so that a configuration
            can leave them out.
        sentences_per_doc: documents are cut into so many sentences at most, if they have sentences.
        limit: maximum number of documents after cutting; 0 for all.

    Raises:
        SelectraError: `sentences_per_doc` is not positive; when read: missing, empty or unreadable
            file.
    """
    check_sentences_per_doc(sentences_per_doc)

    def read(nlp: Language) -> Iterator[Example]:
        if path is None:
            return
        for part in islice(_parts(nlp, path, sentences_per_doc), limit or None):
            yield Example(without_annotation(nlp, part), part)

    return read


def _parts(nlp: Language, path: str | Path, sentences: int) -> Iterator[Doc]:
    for _, doc in read_docs(path, nlp.vocab):
        if not doc.has_annotation("SENT_START"):
            yield _copied(nlp, doc, 0, len(doc))
            continue
        starts = [sentence.start for sentence in doc.sents][::sentences]
        for start, end in zip(starts, [*starts[1:], len(doc)], strict=True):
            yield _copied(nlp, doc, start, end)


def _copied(nlp: Language, doc: Doc, start: int, end: int) -> Doc:
    """Some words of a document with the attributes above."""
    part = Doc(
        nlp.vocab,
        words=[token.text for token in doc[start:end]],
        spaces=[bool(token.whitespace_) for token in doc[start:end]],
    )
    rows: Any = doc.to_array(_ATTRIBUTES)
    return part.from_array(_ATTRIBUTES, rows[start:end])


__all__ = ["annotated_reader"]
