"""Labelled documents in spaCy's format (DocBin, `.spacy`), and their conversion to rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import spacy
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.labels import label_name
from spacy_selectra.finetuning.data.sources import Formats, Row
from spacy_selectra.util.files import expanded, refuse_pointer

SUFFIX = ".spacy"


def read_docs(
    path: str | Path, vocab: Vocab, names: Mapping[str, str] | None = None
) -> Iterator[tuple[str, Doc]]:
    """The documents of a file, or of all `.spacy` files in a folder, each with its position.

    Entity types and categories are normalised by `label_name`. Documents without words are skipped.

    Args:
        path: file or folder.
        vocab: vocabulary of the documents.
        names: new names of entity types, or an empty name to remove a type; others are kept.

    Raises:
        SelectraError: missing or unreadable file, no documents, or an invalid label.
    """
    source = expanded(path)
    files = sorted(source.rglob(f"*{SUFFIX}")) if source.is_dir() else [source]
    found = False
    for file in files:
        refuse_pointer(file)
        try:
            docs = list(DocBin().from_disk(file).get_docs(vocab))
        except FileNotFoundError as error:
            raise SelectraError(f"{file}: no such file") from error
        except Exception as error:  # zlib, msgpack and spaCy have no common exception
            raise SelectraError(
                f"{file}: not a file written by spaCy's DocBin.to_disk "
                f"({type(error).__name__}: {error})"
            ) from error
        for number, doc in enumerate(docs, start=1):
            if len(doc):
                found = True
                place = f"{file}, document {number}"
                _name_labels(doc, place, names or {})
                yield place, doc
    if not found:
        raise SelectraError(f"{path}: contains no documents (empty file)")


def _name_labels(doc: Doc, place: str, names: Mapping[str, str]) -> None:
    left_out = []
    for entity in doc.ents:
        name = label_name(entity.label_, place)
        name = names.get(name, name)
        if not name:
            left_out.append(entity)
        elif name != entity.label_:
            for token in entity:
                token.ent_type_ = name
    if left_out:
        doc.set_ents([], outside=left_out, default="unmodified")
    cats: dict[str, float] = {}
    for label, score in doc.cats.items():
        name = label_name(label, place)
        if name in cats:
            raise SelectraError(f"{place}: two categories have the name '{name}'")
        cats[name] = score
    doc.cats = cats


def docbin_rows(path: Path) -> Iterator[Row]:
    """Rows with `text`, `tokens`, and if annotated, `ner_tags` (IOB2), `upos` and `label`.

    The label is the category with a score above 0.5, or a list unless there is exactly one.
    """
    for place, doc in read_docs(path, spacy.blank("xx").vocab):
        row: dict[str, Any] = {"text": doc.text, "tokens": [token.text for token in doc]}
        if doc.has_annotation("ENT_IOB"):
            row["ner_tags"] = [_tag(token, place) for token in doc]
        if doc.has_annotation("POS"):
            row["upos"] = [token.pos_ or "_" for token in doc]
        if doc.cats:
            labels = [label for label, score in doc.cats.items() if score > 0.5]
            row["label"] = labels[0] if len(labels) == 1 else labels
        yield place, row


def _tag(token: Any, place: str) -> str:
    if not token.ent_iob:
        raise SelectraError(
            f"{place}: entity annotation is missing for '{token.text}' (word {token.i + 1})"
        )
    return "O" if token.ent_iob_ == "O" else f"{token.ent_iob_}-{token.ent_type_}"


FORMATS: Formats = {SUFFIX: docbin_rows}
