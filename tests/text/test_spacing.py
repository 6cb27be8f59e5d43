"""Spaces of Spanish text that only comes as a list of words."""

from __future__ import annotations

import pytest
import spacy

from spacy_selectra.text.spacing import guess_spaces


@pytest.mark.parametrize(
    "text",
    [
        "¿Quién dijo «hola, niño» (o no)?",
        'El "sí" fue rotundo; el "no", también.',
        "Costó 5 % más: ¡una barbaridad!",
        "Sí.",
        "",
    ],
)
def test_spacing_restores_ordinary_text(text):
    words, expected = [], []
    for chunk in text.split():
        doc = [token.text for token in spacy.blank("es")(chunk)]
        words += doc
        expected += [False] * (len(doc) - 1) + [True]
    if expected:
        expected[-1] = False
    joined = "".join(w + " " * s for w, s in zip(words, guess_spaces(words), strict=True))
    assert joined == text.replace("5 %", "5%")
