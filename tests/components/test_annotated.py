"""Documents that another pipeline annotated, as training data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.training import Example

from spacy_selectra.components.corpora.annotated import annotated_reader
from spacy_selectra.components.corpora.replaced import replaced_reader
from spacy_selectra.errors import SelectraError

WORDS = ["Ana", "vive", "en", "Cádiz", ".", "No", "viaja", ".", "Lee", "mucho", "."]
ANNOTATION: dict[str, Any] = {
    "tags": ["t" + str(number) for number in range(11)],
    "pos": [
        "PROPN",
        "VERB",
        "ADP",
        "PROPN",
        "PUNCT",
        "ADV",
        "VERB",
        "PUNCT",
        "VERB",
        "ADV",
        "PUNCT",
    ],
    "morphs": ["", "Number=Sing", "", "", "", "", "Number=Sing", "", "Number=Sing", "", ""],
    "lemmas": ["Ana", "vivir", "en", "Cádiz", ".", "no", "viajar", ".", "leer", "mucho", "."],
    "ents": ["B-PER", "O", "O", "B-LOC", *["O"] * 7],
}
STARTS = [number in (0, 5, 8) for number in range(11)]


def written(path: Path, sentences: bool = True) -> Path:
    """A file with one document, as `selectra annotate` would write it."""
    doc = Doc(
        spacy.blank("es").vocab,
        words=WORDS,
        spaces=[word not in ("Cádiz", "viaja", "mucho") for word in WORDS],
        sent_starts=STARTS if sentences else None,
        **ANNOTATION,
    )
    doc.cats = {"viajes": 1.0}
    DocBin(docs=[doc], store_user_data=True).to_disk(path)
    return path


def read(path: Path | None, **settings: Any) -> list[Example]:
    return list(annotated_reader(path, **settings)(spacy.blank("es")))


def test_documents_are_cut_at_sentences_and_keep_their_annotation(tmp_path: Path):
    first, second = read(written(tmp_path / "a.spacy"), sentences_per_doc=2)
    assert first.reference.text == "Ana vive en Cádiz. No viaja. "
    assert second.reference.text == "Lee mucho. "
    tokens = [token for one in (first, second) for token in one.reference]
    assert [token.tag_ for token in tokens] == ANNOTATION["tags"]
    assert [token.pos_ for token in tokens] == ANNOTATION["pos"]
    assert [str(token.morph) for token in tokens] == ANNOTATION["morphs"]
    assert [token.lemma_ for token in tokens] == ANNOTATION["lemmas"]
    assert [token.is_sent_start for token in tokens] == STARTS
    assert [(ent.text, ent.label_) for ent in first.reference.ents] == [
        ("Ana", "PER"),
        ("Cádiz", "LOC"),
    ]
    # no entity was found here, which is not the same as nobody having looked
    assert {token.ent_iob_ for token in second.reference} == {"O"}
    assert not first.reference.cats
    for one in (first, second):
        assert one.predicted.text == one.reference.text
        for attribute in ("TAG", "LEMMA", "ENT_IOB", "SENT_START"):
            assert not one.predicted.has_annotation(attribute), attribute


def test_documents_without_sentences_are_whole(tmp_path: Path):
    path = written(tmp_path / "a.spacy", sentences=False)
    assert [len(one.reference) for one in read(path, sentences_per_doc=1)] == [len(WORDS)]


def test_limit_and_settings(tmp_path: Path):
    path = written(tmp_path / "a.spacy")
    assert len(read(path, sentences_per_doc=1)) == 3
    assert len(read(path, sentences_per_doc=1, limit=2)) == 2
    assert read(None) == []
    with pytest.raises(SelectraError, match="sentences_per_doc"):
        annotated_reader(path, sentences_per_doc=0)
    with pytest.raises(SelectraError, match="no such file"):
        read(tmp_path / "none.spacy")
    (tmp_path / "bad.spacy").write_bytes(b"no documents")
    with pytest.raises(SelectraError, match="not a file written by spaCy"):
        read(tmp_path / "bad.spacy")


def tagged(path: Path) -> Path:
    """A file with 300 sentences whose nouns are masculine or feminine."""
    vocab = spacy.blank("es").vocab
    kinds = {"Masc": ["gato", "perro", "lobo"], "Fem": ["mesa", "silla", "sopa"]}
    docs = []
    for number in range(300):
        gender = ["Masc", "Fem"][number % 2]
        noun = kinds[gender][number % 3]
        docs.append(
            Doc(
                vocab,
                words=["Ana", "vio", noun, "en", "Cádiz", "."],
                pos=["PROPN", "VERB", "NOUN", "ADP", "PROPN", "PUNCT"],
                morphs=["", "", f"Gender={gender}", "", "", ""],
            )
        )
    DocBin(docs=docs).to_disk(path)
    return path


def replaced_words(**settings: Any) -> list[tuple[int, str]]:
    """Sentence, and the word in the place of its noun or of another word."""
    found = replaced_reader(single=1.0, **settings)(spacy.blank("es"))
    return [
        (number, span.text)
        for number, one in enumerate(found)
        for span in one.reference.spans["replaced"]
    ]


def test_words_are_exchanged_for_words_of_their_class(tmp_path: Path):
    path = tagged(tmp_path / "tagged.spacy")
    found = replaced_words(path=path, alike=1.0)
    assert len(found) == 300
    for number, word in found:  # the verb has nobody to change places with
        assert word in (["gato", "perro", "lobo"], ["mesa", "silla", "sopa"])[number % 2]
    half = replaced_words(path=path, alike=0.5)
    nouns = {"gato", "perro", "lobo", "mesa", "silla", "sopa"}
    fitting = [
        word in (["gato", "perro", "lobo"], ["mesa", "silla", "sopa"])[number % 2]
        for number, word in half
    ]
    # at least half, and of the others few: 4 standard deviations of 300 throws
    assert 150 - 35 < sum(fitting) < 200 + 35
    assert any(word not in nouns for _, word in half)


def test_classes_need_annotation(tmp_path: Path):
    with pytest.raises(SelectraError, match=r"alike = 2 is not in \[0, 1\]"):
        replaced_reader("text.txt", alike=2)
    path = tmp_path / "text.txt"
    path.write_text("Ana vio un perro en Cádiz.\n", encoding="utf-8")
    with pytest.raises(SelectraError, match="needs text with parts of speech"):
        replaced_words(path=path, alike=0.5)
