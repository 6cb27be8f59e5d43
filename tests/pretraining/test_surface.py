"""Spelling of pieces as features."""

from __future__ import annotations

import pytest
import torch

from spacy_selectra.pretraining.initialization.spelling import spelling_features
from spacy_selectra.text.tokenizer import SPECIAL_TOKENS

PIECES = [
    *SPECIAL_TOKENS,
    "Cádiz",
    "Madrid",
    "cadiz",
    "madrid",
    "##ción",
    "canción",
    "RENFE",
    "IBEX",
    "1999",
    "2001",
    "¿",
    ";",
    "ganó",
    "cantó",
    "日",
]


def likeness(first: str, second: str) -> float:
    rows = spelling_features(PIECES, range(len(SPECIAL_TOKENS))).to_dense()
    return float(rows[PIECES.index(first)] @ rows[PIECES.index(second)])


def test_rows_have_norm_one_and_special_tokens_none():
    rows = spelling_features(PIECES, range(len(SPECIAL_TOKENS))).to_dense()
    norms = rows.norm(dim=1)
    assert norms[: len(SPECIAL_TOKENS)].eq(0).all()
    torch.testing.assert_close(norms[len(SPECIAL_TOKENS) :], torch.ones(len(PIECES) - 5))


@pytest.mark.parametrize(
    ("one", "like", "unlike"),
    [
        ("Madrid", "Cádiz", "ganó"),
        ("ganó", "cantó", "Madrid"),
        ("RENFE", "IBEX", "Madrid"),
        ("1999", "2001", "IBEX"),
        ("¿", ";", "1999"),
        ("##ción", "canción", "Madrid"),
        ("Cádiz", "cadiz", "ganó"),
    ],
)
def test_what_looks_alike_is_alike(one: str, like: str, unlike: str):
    assert likeness(one, like) > likeness(one, unlike) + 0.1


def test_a_vocabulary_of_special_tokens_only():
    rows = spelling_features(SPECIAL_TOKENS, range(len(SPECIAL_TOKENS)))
    assert rows.shape == (len(SPECIAL_TOKENS), 1)
    assert rows.to_dense().eq(0).all()
