from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Token
from transformers import AutoTokenizer, ElectraForPreTraining

from spacy_selectra.components import checked
from spacy_selectra.components.replaced import ReplacedWordDetector
from spacy_selectra.errors import SelectraError
from spacy_selectra.text.pieces import overlapping_windows
from tests.finetuning.tiny import save_discriminator

FACTORY = "selectra_replaced"
TEXTS = ["El burro come en Mérida.", "", "¿El gato?  No, el pingüino\n\ncanta."]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_discriminator(tmp_path_factory.mktemp("replaced") / "model"))


def make(model: str | None, **config: object) -> Language:
    nlp = spacy.blank("es")
    nlp.add_pipe(FACTORY, config={"model": model, **config})
    return nlp


def component(nlp: Language) -> ReplacedWordDetector:
    found = nlp.get_pipe(FACTORY)
    assert isinstance(found, ReplacedWordDetector)
    return found


def values(doc: Doc) -> list[float]:
    return [token._.replaced for token in doc]


def test_a_word_has_the_highest_probability_of_its_pieces(model: str):
    doc = make(model)(TEXTS[2])
    tokenizer = AutoTokenizer.from_pretrained(model)
    encoded = tokenizer(doc.text, return_tensors="pt", return_offsets_mapping=True)
    offsets = encoded.pop("offset_mapping")[0].tolist()
    with torch.no_grad():
        logits = ElectraForPreTraining.from_pretrained(model).eval()(**encoded).logits[0]
    pieces = list(zip(offsets, torch.sigmoid(logits).tolist(), strict=True))[1:-1]
    for token in doc:
        end = token.idx + len(token)
        inside = [p for (first, last), p in pieces if first < end and last > token.idx]
        assert token._.replaced == pytest.approx(max(inside, default=0.0), abs=1e-5), token.text
        assert token.is_space == (not inside)


def test_words_above_the_threshold_are_spans(model: str):
    probabilities = values(make(model)(TEXTS[0]))
    threshold = sorted(probabilities)[2]
    doc = make(model, threshold=threshold)(TEXTS[0])
    spans = doc.spans["replaced"]
    assert [(span.start, len(span), span.label_) for span in spans] == [
        (place, 1, "REPLACED") for place, p in enumerate(probabilities) if p > threshold
    ]
    assert len(spans) == len(doc) - 3
    scores = [probabilities[span.start] for span in spans]
    np.testing.assert_allclose(spans.attrs["scores"], scores, atol=1e-6)


def test_one_document_or_many(model: str):
    nlp = make(model)
    for text, doc in zip(TEXTS, nlp.pipe(TEXTS), strict=True):
        assert values(nlp(text)) == pytest.approx(values(doc), abs=1e-5)


@pytest.mark.parametrize(
    "text", ["", " ", "\n\t ", "\u200b", "e\u0301", "🙂👩‍👩‍👧", "x" * 3000, "\x00\x01"]
)
def test_odd_texts(model: str, text: str):
    doc = make(model, threshold=1.0)(text)
    assert all(0 <= value <= 1 for value in values(doc))
    assert len(doc.spans["replaced"]) == 0


def test_a_long_document_is_read_to_its_end(model: str):
    # 64 positions: 90 words need several windows
    doc = make(model)("El burro come en Cádiz y El niño canta . " * 9)
    assert all(value > 0 for value in values(doc))
    # far from all window borders a window sees what a document of its own would
    window = overlapping_windows(90, 62, 62 - 62 // 4, "full")[0]
    alone = make(model)(doc[:62].text)
    assert len(alone) == 62
    inner = slice(0, window.last)
    assert values(doc)[inner] == pytest.approx(values(alone)[inner], abs=1e-5)


def test_of_a_failing_batch_only_the_bad_documents_are_left_out(model: str, monkeypatch):
    nlp = make(model)
    detector = component(nlp)
    annotate, failed = detector.annotate, []

    def fail(docs):
        if any(doc.text == "malo" for doc in docs):
            raise ValueError("cannot be read")
        annotate(docs)

    monkeypatch.setattr(detector, "annotate", fail)
    with pytest.raises(ValueError, match="cannot be read"):
        list(nlp.pipe(["El gato", "malo"]))
    detector.set_error_handler(lambda name, pipe, docs, error: failed.extend(docs))
    docs = list(nlp.pipe(["El gato", "malo", "El perro"]))
    assert [doc.text for doc in docs] == ["El gato", "El perro"]
    assert [doc.text for doc in failed] == ["malo"]
    assert all(word._.replaced > 0 for doc in docs for word in doc)


def test_two_detectors_and_an_existing_extension(model: str):
    make(model)
    nlp = make(model)
    nlp.add_pipe(FACTORY, name="again", config={"model": model})
    assert values(nlp(TEXTS[0])) == values(make(model)(TEXTS[0]))


def test_without_model_and_wrong_threshold():
    with pytest.raises(SelectraError, match="has no model"):
        make(None)("El gato.")
    with pytest.raises(SelectraError, match=r"threshold = 1\.5 is not in \[0, 1\]"):
        make(None, threshold=1.5)


@pytest.mark.parametrize("wrong", ["0,5", "0.5", None, 2, -0.1, float("nan"), True, [0.5]])
def test_a_threshold_is_checked_whenever_it_is_set(wrong):
    detector = component(make(None))
    detector.threshold = 0.25
    with pytest.raises(SelectraError, match=r"'selectra_replaced': threshold = .* \[0, 1\]"):
        detector.threshold = wrong
    assert detector.threshold == 0.25
    detector.threshold = np.float32(0.75)
    assert detector.threshold == 0.75


def test_extensions_of_others_are_not_taken_for_its_own(
    model: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(checked, "_announced", set())
    nlp = make(model)
    others: list[dict[str, Any]] = [
        {"getter": len},
        {"method": len},
        {"getter": len, "setter": setattr},
    ]
    for other in others:
        Token.set_extension("replaced", force=True, **other)
        with pytest.raises(
            SelectraError, match=r"Token\._\.replaced is already registered with a getter"
        ):
            make(None)
        with pytest.raises(
            SelectraError, match=r"Token\._\.replaced is already registered with a getter"
        ):
            nlp(TEXTS[0])  # registered after the component was made
    Token.set_extension("replaced", force=True, default=0.5)
    with pytest.warns(UserWarning, match=r"Token\._\.replaced is already registered with the def"):
        make(None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values(nlp(TEXTS[0]))  # said once
    Token.set_extension("replaced", force=True, default=0.0)


def test_refuses_a_classifier(tmp_path: Path):
    from tests.finetuning.tiny import save_classifier

    path = save_classifier(tmp_path / "model")
    with pytest.raises(SelectraError, match="not an ElectraForPreTraining checkpoint"):
        make(str(path))("El gato.")


def test_disk_and_bytes(model: str, tmp_path: Path):
    nlp = make(model)
    expected = [values(doc) for doc in nlp.pipe(TEXTS)]
    nlp.to_disk(tmp_path / "pipeline")
    copies = [spacy.load(tmp_path / "pipeline"), make(None).from_bytes(nlp.to_bytes())]
    copies.append(spacy.blank("es"))
    copies[2].add_pipe(FACTORY, source=nlp)
    for copy in copies:
        assert [values(doc) for doc in copy.pipe(TEXTS)] == expected
    again = tmp_path / "again"
    copies[0].to_disk(again)
    for name in ("model.safetensors", "tokenizer.json"):
        first = (tmp_path / "pipeline" / FACTORY / name).read_bytes()
        assert (again / FACTORY / name).read_bytes() == first


def test_annotations_survive_docbin(model: str):
    nlp = make(model, threshold=0.01)
    doc = nlp(TEXTS[0])
    stored = DocBin(docs=[doc], store_user_data=True).to_bytes()
    (read,) = DocBin().from_bytes(stored).get_docs(nlp.vocab)
    assert values(read) == pytest.approx(values(doc))
    assert len(read.spans["replaced"]) == len(doc.spans["replaced"])
