"""Documents in capitals or without accents are read as they would usually be written."""

import numpy as np
import pytest
import spacy

from spacy_selectra.components.replaced import ReplacedWordDetector
from spacy_selectra.text.spellings import Spellings, save_spellings
from tests.components.conftest import strided

USUAL = "El niño comió azúcar en la ciudad de Cádiz."
CAPITALS = USUAL.upper()
PLAIN = "El niño comió azúcar en la ciudad de Cádiz."
PLAIN = PLAIN.translate(str.maketrans("ñóúá", "noua"))


def vectors(nlp, text):
    return nlp(text)._.trf_data.model_output.last_hidden_state


@pytest.mark.parametrize("settings", [{}, {"get_spans": strided(24, 20)}])
def test_vectors_are_those_of_usual_spelling(make_nlp, settings):
    nlp = make_nlp(**settings)
    expected = vectors(nlp, USUAL)
    for text in (CAPITALS, PLAIN, PLAIN.upper()):
        assert np.array_equal(vectors(nlp, text), expected)
        doc = nlp(text)
        assert doc.text == text
        assert np.array_equal(doc._.trf_data.align.lengths, nlp(USUAL)._.trf_data.align.lengths)


def test_as_it_stands_if_so_set(make_nlp):
    nlp = make_nlp(restore_case=False, restore_accents=False)
    known = make_nlp()
    assert np.array_equal(vectors(nlp, USUAL), vectors(known, USUAL))
    for text in (CAPITALS, PLAIN):
        assert vectors(nlp, text).shape != vectors(known, text).shape
    # a pipeline that is there already can be told otherwise
    nlp.get_pipe("transformer").model.attrs.update(restore_case=True, restore_accents=True)
    assert np.array_equal(vectors(nlp, PLAIN.upper()), vectors(known, USUAL))


def test_own_list_travels_with_the_pipeline(make_nlp, tmp_path):
    path = tmp_path / "words.txt"
    save_spellings(Spellings(["el", "Niño", "comió", "en", "la"]), path)
    nlp = make_nlp(spellings=str(path))
    expected = vectors(nlp, "El Niño comió en la")
    nlp.to_disk(tmp_path / "nlp")
    path.unlink()
    loaded = spacy.load(tmp_path / "nlp")
    copied = spacy.blank("es")
    copied.add_pipe("transformer", source=nlp)
    again = make_nlp()
    again.from_bytes(nlp.to_bytes())
    for one in (nlp, loaded, copied, again):
        assert np.array_equal(vectors(one, "EL NIÑO COMIÓ EN LA"), expected)


def test_replaced_words(encoder_directory):
    nlp = spacy.blank("es")
    detector = ReplacedWordDetector(model=str(encoder_directory))
    [usual, capitals, plain] = detector.predict([nlp(USUAL), nlp(CAPITALS), nlp(PLAIN)])
    assert np.array_equal(usual, capitals)
    # a missing accent may be what someone looks for
    assert not np.array_equal(usual, plain)
    detector.restore_case = False
    assert not np.array_equal(usual, detector.predict([nlp(CAPITALS)])[0])
