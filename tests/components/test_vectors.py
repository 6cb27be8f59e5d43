"""selectra_vectors: vectors and similarity from the encoder."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, DocBin

from spacy_selectra.errors import SelectraError
from tests.components.conftest import SENTENCES
from tests.components.test_transformer import STOCK, token_vectors

TEXT = " ".join(SENTENCES)


@pytest.fixture
def nlp(make_nlp):
    nlp = make_nlp()
    nlp.add_pipe("selectra_vectors")
    return nlp


def test_vectors_are_means_of_means(nlp):
    doc = nlp(TEXT)
    expected = token_vectors(doc)
    assert np.allclose([token.vector for token in doc], expected, atol=1e-5)
    assert np.allclose(doc[3:9].vector, expected[3:9].mean(0), atol=1e-5)
    assert np.allclose(doc.vector, expected.mean(0), atol=1e-5)
    for item in (doc, doc[3:9], doc[3]):
        assert item.has_vector
        assert item.vector.dtype == np.float32
        assert item.vector_norm == pytest.approx(np.linalg.norm(item.vector), rel=1e-4)


def test_similarity_is_the_cosine(nlp):
    first, second = nlp(SENTENCES[0]), nlp(SENTENCES[1])
    left, right = first.vector, second[1:4].vector
    expected = left @ right / np.linalg.norm(left) / np.linalg.norm(right)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert first.similarity(second[1:4]) == pytest.approx(expected, abs=1e-5)
        assert second[1:4].similarity(first) == pytest.approx(expected, abs=1e-5)
        assert first.similarity(first) == pytest.approx(1.0)
        assert -1 <= first[0].similarity(second[0]) <= 1


def test_what_has_no_pieces_is_zero(nlp):
    doc = nlp("uno \n dos")
    space = next(token for token in doc if token.is_space)
    assert space.vector.shape == (32,)
    assert not space.vector.any()
    assert not space.has_vector
    assert space.similarity(doc) == 0.0
    assert doc[1:1].vector.shape == (32,)
    assert not doc[1:1].vector.any()
    empty = nlp("")
    assert not empty.has_vector
    assert empty.similarity(doc) == doc.similarity(empty) == 0.0


def test_nothing_is_computed_until_it_is_asked_for_and_then_once(nlp, monkeypatch):
    from spacy_selectra.components.transformer import listener

    calls = []
    pooled = listener.pooled_tokens
    monkeypatch.setattr(
        listener, "pooled_tokens", lambda *args: (calls.append(1), pooled(*args))[1]
    )
    doc = nlp(TEXT)
    assert not calls
    assert doc.vector is not None
    assert doc[0].similarity(doc[1:3]) is not None
    assert len(calls) == 1


def test_works_behind_the_stock_model_too(make_nlp):
    nlp = make_nlp(STOCK, get_spans={"@span_getters": "spacy-transformers.doc_spans.v1"})
    nlp.add_pipe("selectra_vectors")
    doc = nlp(SENTENCES[0])
    assert np.allclose(doc.vector, token_vectors(doc).mean(0), atol=1e-5)


def test_without_transformer():
    nlp = spacy.blank("es")
    nlp.add_pipe("selectra_vectors")
    with pytest.raises(SelectraError, match="put it after a transformer"):
        nlp("Hola")


def test_transformer_data_removed_or_out_of_step(nlp):
    doc = nlp(TEXT)
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:2])
    with pytest.raises(SelectraError, match="before tokens are merged"):
        _ = doc.vector
    doc = nlp(TEXT)
    doc._.trf_data = None
    with pytest.raises(SelectraError, match="no transformer data"):
        _ = doc.vector


def test_other_kinds_of_vectors_do_not_compare(nlp):
    doc = nlp(TEXT)
    other = spacy.blank("es")("Hola mundo")
    with pytest.raises(SelectraError, match="same pipeline"):
        doc.similarity(other)


def test_errors_go_to_the_handler(nlp):
    seen = []
    nlp.get_pipe("selectra_vectors").set_error_handler(lambda *args: seen.append(args))
    nlp.disable_pipe("transformer")
    doc = nlp("Hola")
    assert len(seen) == 1
    assert "vector" not in doc.user_hooks


def test_saved_without_weights(nlp, tmp_path):
    nlp.to_disk(tmp_path)
    stored = tmp_path / "selectra_vectors"
    assert not stored.exists() or not any(stored.rglob("*"))
    expected = nlp(TEXT).vector
    assert np.allclose(spacy.load(tmp_path)(TEXT).vector, expected)
    again = spacy.blank("es").from_config(nlp.config).from_bytes(nlp.to_bytes())
    assert np.allclose(again(TEXT).vector, expected)


def test_documents_can_be_copied_and_pickled(nlp):
    doc = nlp(SENTENCES[1])
    expected = doc.vector
    assert np.allclose(doc.copy().vector, expected)
    assert np.allclose(pickle.loads(pickle.dumps(doc)).vector, expected)
    component = copy.deepcopy(nlp.get_pipe("selectra_vectors"))
    assert np.allclose(component(nlp(SENTENCES[1])).vector, expected)


def test_documents_from_elsewhere_get_their_vectors_back(nlp):
    doc = nlp("El niño comió piñón en Cádiz.")
    expected = doc.vector
    stored = DocBin(docs=[doc], store_user_data=True)
    for travelled in (
        Doc(nlp.vocab).from_bytes(doc.to_bytes()),
        next(iter(DocBin().from_bytes(stored.to_bytes()).get_docs(nlp.vocab))),
    ):
        found = nlp.get_pipe("selectra_vectors")(travelled)
        np.testing.assert_array_equal(found.vector, expected)


def test_bytes_of_a_document_do_not_grow(nlp):
    doc = nlp(TEXT)
    before = len(doc.to_bytes(exclude=["user_hooks"]))
    assert doc.vector is not None
    assert len(doc.to_bytes(exclude=["user_hooks"])) == before
