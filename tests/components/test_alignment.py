"""Alignment of pieces and tokens against a plain loop over characters."""

from __future__ import annotations

import random

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc

from spacy_selectra.components.transformer.windows import (
    PackedWindows,
    align,
    document_windows,
    span_windows,
)
from spacy_selectra.text.encode import PieceTokenizer
from spacy_selectra.text.tokenizer import load_backend
from tests.components.conftest import SENTENCES


def slow_alignment(docs: list[Doc], windows: PackedWindows) -> list[list[int]]:
    rows: list[list[int]] = []
    for doc, base in zip(docs, windows.bases, strict=True):
        for token in doc:
            owned = set(range(base + token.idx, base + token.idx + len(token.text_with_ws)))
            rows.append(
                [
                    row
                    for row, (begin, end) in enumerate(windows.characters)
                    if owned & set(range(begin, end))
                ]
            )
    return rows


@pytest.fixture
def pieces(encoder_directory) -> PieceTokenizer:
    return PieceTokenizer(load_backend(encoder_directory), max_length=40)


@pytest.fixture
def docs() -> list[Doc]:
    nlp = spacy.blank("es")
    generator = random.Random(1)
    alphabet = "aéñ .,¿?\n «»10€👩‍👧\u0301漢"
    texts = ["".join(generator.choices(alphabet, k=generator.randint(0, 90))) for _ in range(30)]
    return [nlp(text) for text in [*texts, *SENTENCES, "", "  "]]


def test_document_windows(docs, pieces):
    windows = document_windows(docs, pieces)
    rows, counts = align(docs, windows)
    expected = slow_alignment(docs, windows)
    assert counts.tolist() == [len(inner) for inner in expected]
    assert rows.tolist() == [row for inner in expected for row in inner]


def test_overlapping_spans(docs, pieces):
    def get_spans(docs: list[Doc]):
        return [[doc[i : i + 6] for i in range(0, len(doc), 4)] for doc in docs]

    windows = span_windows(docs, get_spans, pieces)
    rows, counts = align(docs, windows)
    expected = slow_alignment(docs, windows)
    assert counts.tolist() == [len(inner) for inner in expected]
    assert rows.tolist() == [row for inner in expected for row in inner]


def test_spans_that_leave_tokens_out(pieces):
    docs = [spacy.blank("es")(text) for text in ("uno dos tres", "cuatro cinco", "seis")]
    windows = span_windows(docs, lambda docs: [[docs[0][1:2]], [], [docs[2][:]]], pieces)
    _, counts = align(docs, windows)
    assert windows.counts == [1, 0, 1]
    assert [bool(count) for count in counts] == [False, True, False, False, False, True]


def test_glued_words(pieces):
    # spaCy cuts where WordPiece does not: both tokens own the piece between them
    doc = Doc(spacy.blank("es").vocab, words=["ni", "ño"], spaces=[False, False])
    windows = document_windows([doc], pieces)
    rows, counts = align([doc], windows)
    text = "niño"
    for index, (begin, end) in enumerate(((0, 2), (2, 4))):
        mine = rows[: counts[0]] if index == 0 else rows[counts[0] :]
        for row in mine:
            first, last = windows.characters[row]
            assert first < end
            assert last > begin
    assert text == doc.text


def test_every_word_of_a_cleaned_text_has_pieces(docs, pieces):
    windows = document_windows(docs, pieces)
    _, counts = align(docs, windows)
    tokens = [token for doc in docs for token in doc]
    visible = np.array([any(char.isalnum() for char in token.text) for token in tokens])
    assert counts[visible].min() > 0


def test_no_documents(pieces):
    rows, counts = align([], document_windows([], pieces))
    assert len(rows) == len(counts) == 0
