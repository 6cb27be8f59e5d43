"""Case and accents put back: what is changed, what stays, and how spellings are counted."""

import re
import unicodedata

import pytest

from spacy_selectra.errors import SelectraError
from spacy_selectra.text.spellings import (
    Spellings,
    count_spellings,
    load_spellings,
    save_spellings,
    spanish_spellings,
)

CAPITALS = {
    "PEDRO SÁNCHEZ VIAJA A MARRUECOS": "Pedro Sánchez viaja a Marruecos",
    "LA ONU PIDE CALMA. EL PSOE Y EL PP, NO": "La ONU pide calma. El PSOE y el PP, no",
    "EL REY JUAN CARLOS I Y FELIPE VI EN EL SIGLO XX": (
        "El rey Juan Carlos I y Felipe VI en el siglo XX"
    ),
    "J. PÉREZ Y D. BLIRTÓN VUELVEN A CASA": "J. Pérez y D. Blirtón vuelven a casa",
    "GANA SÁNCHEZ\nEl presidente gana.": "Gana Sánchez\nEl presidente gana.",
    "¡¿QUIÉN GANA EN MADRID?!\n\nNADIE, DICEN EN BILBAO": (
        "¡¿Quién gana en Madrid?!\n\nNadie, dicen en Bilbao"
    ),
    "PEREZ VIAJA A MEXICO Y A LA ARGENTINA": "Pérez viaja a México y a la Argentina",
    "Ganó (LA VUELTA A ESPAÑA DE 2001) ayer": "Ganó (la vuelta a España de 2001) ayer",
}
WITHOUT_ACCENTS = {
    "El presidente visito Mexico para hablar de politica": (
        "El presidente visitó México para hablar de política"
    ),
    "Manana esta cerrado el cafe Espana": "Mañana esta cerrado el café España",
}
DECOMPOSED = ["PEDRO SÁNCHEZ VIAJA A MARRUECOS", "EL NIÑO VUELVE A LEÓN", "GANA SÁNCHEZ\nÉl gana."]
UNCHANGED = [
    "",
    " \n",
    "MADRID",
    "Compra acciones de BBVA, ACS, IBM, SAP y KPN.",
    "CIU, ERC, BNG",
    "Lo publica EL PERIÓDICO de ayer.",
    "Garcia viaja a Madrid con Perez.",  # names alone may be foreign
    "Ayer hablé con mama y papa de politica.",  # accents elsewhere: they are meant
    "The president of the country visits the town of his mother today",
    "ΑΘΗΝΑ ΚΑΙ ΣΠΑΡΤΗ ΠΟΛΕΙΣ",
    "STRASSE ǅ ﬁ ß İSTANBUL Ǆ",
    "¿Está? Sí. NO.",
]


@pytest.mark.parametrize(("text", "right"), [*CAPITALS.items(), *WITHOUT_ACCENTS.items()])
def test_restored(text, right):
    assert spanish_spellings().restored(text) == right


@pytest.mark.parametrize("text", UNCHANGED)
def test_other_text_stays(text):
    assert spanish_spellings().restored(text) == text


@pytest.mark.parametrize("text", [*CAPITALS, *CAPITALS.values(), *WITHOUT_ACCENTS, *UNCHANGED])
def test_as_many_characters_and_nothing_but_case_and_accents(text):
    for case in (True, False):
        for accents in (True, False):
            new = spanish_spellings().restored(text, case=case, accents=accents)
            assert len(new) == len(text)
            assert re.sub(r"[^\W\d_]", "a", new) == re.sub(r"[^\W\d_]", "a", text)
            if not accents:
                assert new.lower() == text.lower()
            if not case and not accents:
                assert new == text


def test_what_was_restored_needs_no_more():
    for right in (CAPITALS | WITHOUT_ACCENTS).values():
        assert spanish_spellings().restored(right) == right


def test_settings_are_independent():
    restored = spanish_spellings().restored
    text = "PEREZ VIAJA A MEXICO Y A LA ARGENTINA"
    assert restored(text, accents=False) == "Perez viaja a Mexico y a la Argentina"
    assert restored(text, case=False) == text


def test_counted_within_sentences_of_usual_case(tmp_path):
    texts = [
        "Casa grande la de Ana en la política. El presidente de la ONU llegó con su casa.",
        "LA POLITICA ES UNA CASA DE ANA EN LA ONU. Ana y la politica de ana.\nUna casa en Una",
        *["Hoy hablan de la política otra vez."] * 9,
    ]
    found = count_spellings(texts, min_count=1)
    assert {"casa", "Ana", "ONU", "política"} <= set(found.words)
    # the rarer form without its accent is a mistake, that in capitals is not counted
    assert found.words[0] == "la"
    assert not {"politica", "Casa", "LA", "ana"} & set(found.words)
    assert "casa" not in count_spellings(texts, min_count=3).words
    for name in ("words.txt", "words.txt.gz"):
        save_spellings(found, tmp_path / name)
        assert load_spellings(tmp_path / name).words == found.words


def test_own_words(tmp_path):
    own = Spellings(["de", "la", "iPhone", "McDonald", "llega"])
    assert own.restored("LLEGA EL IPHONE DE LA MCDONALD") == "Llega El iPhone de la McDonald"


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.txt", b"dos palabras\n"), ("a.txt", b"\xff\n"), ("a.txt.gz", b"casa\n"), ("b.txt", None)],
)
def test_other_files_are_refused(tmp_path, name, data):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(SelectraError, match=name):
        load_spellings(tmp_path / name)


@pytest.mark.parametrize("text", [*DECOMPOSED, "HABLA \u1112\u1161\u11ab Á MADRID"])
def test_accents_as_characters_of_their_own(text: str):
    spellings = spanish_spellings()
    apart = unicodedata.normalize("NFD", text)
    restored = spellings.restored(apart)
    assert len(restored) == len(apart)
    composed = unicodedata.normalize("NFC", restored)
    assert composed == spellings.restored(unicodedata.normalize("NFC", text)) or "HABLA" in text
