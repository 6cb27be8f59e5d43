"""Words of texts, and looking them up however they are written."""

import unicodedata

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spacy_selectra.matching.words import WordIndex, flat, split_words, sums, without_accents


def test_split_words():
    assert split_words("¡El niño-burbuja pagó 12,50 € a D'Angelo_x!") == [
        *("el", "niño-burbuja", "pagó", "0", "0", "a", "d'angelo", "x")
    ]
    assert split_words(" \n…¿?") == []


@given(st.text())
def test_composed_and_decomposed_text_have_the_same_words(text):
    assert split_words(unicodedata.normalize("NFD", text)) == split_words(
        unicodedata.normalize("NFC", text)
    )


def test_accents_go_but_not_the_tilde():
    assert without_accents("señorío") == "señorio"
    assert without_accents("pingüino") == "pinguino"


def test_words_are_found_as_others_write_them():
    index = WordIndex(["el", "política", "ministro", "ano", "año", "politica-ficción"])
    assert index.places("El POLITICA").tolist() == [0, 1]
    assert index.places("ex-ministro").tolist() == [2]
    assert index.places("ano año").tolist() == [3, 4]
    assert index.places("xyz €").tolist() == []
    assert index.unknown("El xyz de politica") == ["xyz", "de"]


def test_pronouns_at_the_end_of_a_verb():
    index = WordIndex(["recuerda", "apagar", "diciendo", "tela", "pon", "o"])
    for word in ("recuérdame", "Recuérdamelo", "recuerdanoslas"):
        assert index.places(word).tolist() == [0]
    assert index.places("apagarlas apagármela diciéndoselo").tolist() == [1, 1, 2]
    # a word that is known keeps its own place, and what is no verb form stays unknown
    assert index.places("tela").tolist() == [3]
    assert index.unknown("once mesa atlas lo") == ["once", "mesa", "atlas", "lo"]


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=6))
def test_sums_over_parts(parts):
    places, bounds = flat([np.array(part, dtype=np.int64) for part in parts])
    found = sums(places[:, None].astype(float), bounds)
    assert found[:, 0].tolist() == [sum(part) for part in parts]
