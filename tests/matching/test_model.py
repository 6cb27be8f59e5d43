"""Scores are what the formula says, whatever the blocks; labels are told apart."""

import numpy as np
import pytest

from spacy_selectra.errors import SelectraError
from spacy_selectra.matching import model as model_module
from spacy_selectra.matching.calibrate import calibrate
from spacy_selectra.matching.model import MatchingModel
from spacy_selectra.matching.storage import is_matching_model, load_matching, save_matching
from spacy_selectra.matching.train import Matcher, train_matching
from tests.matching.conftest import SUBJECTS, text_about

NAMES = {"a": ["gol del equipo"], "b": ["sartén"], "c": ["violín", "piano y coro"]}


def by_formula(model: MatchingModel, text: str, label: str) -> tuple[float, float, float]:
    """Score, usual score and deviation of a single word, in loops over words."""
    tables = model.tables
    sigmoid = lambda value: 1 / (1 + np.exp(-value))  # noqa: E731

    def common(word, other):
        x = tables.vectors[word].astype(float) @ tables.text_map
        y = tables.vectors[other].astype(float) @ tables.label_map
        cosine = x @ y / np.linalg.norm(x) / np.linalg.norm(y)
        return max(0.0, cosine - tables.floor) ** 2

    own = model.index.places(label)
    v = np.array([sigmoid(tables.label_logit[word]) for word in own])
    v /= v.sum()

    def of_word(word):
        return sum(weight * common(word, other) for weight, other in zip(v, own, strict=True))

    words = model.index.places(text)
    w = np.array([sigmoid(tables.text_logit[word]) for word in words])
    score = sum(weight * of_word(word) for weight, word in zip(w, words, strict=True)) / w.sum()
    usual = np.array(
        [tables.share[i] * sigmoid(tables.text_logit[i]) for i in range(len(model.index))]
    )
    usual /= usual.sum()
    all_words = np.array([of_word(word) for word in range(len(model.index))])
    mean = usual @ all_words
    return score, mean, np.sqrt(usual @ (all_words - mean) ** 2)


@pytest.mark.parametrize("block", [7, 8_000_000])
def test_scores_are_those_of_the_formula(model, monkeypatch, block):
    monkeypatch.setattr(model_module, "_BLOCK", block)
    texts = ["el gol del portero", "cebolla", "", "desconocidas palabras", "la orquesta y el coro"]
    labels = model.labels(NAMES)
    found = model.match(texts, labels)
    assert np.diff(model.read(texts)[1]).tolist() == [3, 1, 0, 0, 5]
    wordings = [wording for names in NAMES.values() for wording in names]
    for row in (0, 1, 4):
        expected = [by_formula(model, texts[row], wording) for wording in wordings]
        scores, usual, spread = (np.array(column) for column in zip(*expected, strict=True))
        np.testing.assert_allclose(labels.usual, usual, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(labels.spread, spread, rtol=1e-3, atol=1e-5)
        logits = model.calibration.logits(scores, usual, spread)
        best = [logits[0], logits[1], max(logits[2:])]
        np.testing.assert_allclose(found.logits[row], best, rtol=1e-3, atol=1e-3)


def test_documents_do_not_depend_on_each_other(model):
    rng = np.random.default_rng(5)
    texts = [text_about(subject, rng) for subject in SUBJECTS for _ in range(4)]
    labels = model.labels(NAMES)
    together = model.match(texts, labels)
    for row, text in enumerate(texts):
        alone = model.match([text], labels)
        np.testing.assert_allclose(alone.logits[0], together.logits[row], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(alone.surplus[0], together.surplus[row], rtol=1e-3, atol=1e-4)


def test_what_was_trained_is_what_is_scored(vectors, sources):
    """The network and the model, which counts with rounded vectors, give the same logits."""
    model = train_matching(vectors, sources, quiet=True)
    matcher = Matcher(vectors, np.arange(len(vectors.words)))
    texts = ["el gol y la liga", "cebolla con sal"]
    names = ["partido", "receta de cocina"]
    places = [model.index.places(text) for text in texts]
    untrained = matcher(places, [model.index.places(name) for name in names])
    assert untrained.shape == (2, 2)
    found = model.match(texts, model.labels({name: [name] for name in names}))
    assert found.logits.argmax(axis=1).tolist() == untrained.argmax(dim=1).tolist() == [0, 1]


def test_labels_never_seen_are_told_apart(model):
    rng = np.random.default_rng(2)
    names = dict(zip(SUBJECTS, (["balón"], ["guiso"], ["tambor"]), strict=True))
    labels = model.labels(names)
    for number, subject in enumerate(SUBJECTS):
        texts = [text_about(subject, rng) for _ in range(20)]
        assert (model.match(texts, labels).logits.argmax(axis=1) == number).mean() > 0.9


def test_probabilities(model, sources):
    calibrated = calibrate(model, sources)
    again = calibrated.calibration
    labels = calibrated.labels({"gol": ["gol"], "horno": ["horno"]})
    rng = np.random.default_rng(3)
    texts = [text_about(subject, rng) for subject in SUBJECTS]
    found = calibrated.match(texts, labels)
    one = again.alternatives(found.logits, nothing=False)
    np.testing.assert_allclose(one.sum(axis=1), 1, rtol=1e-5)
    assert one[0, 0] > 0.8
    assert one[1, 1] > 0.8
    some = again.alternatives(found.logits, nothing=True)
    # about music, which neither label is
    assert some[0].sum() > 0.5
    assert some[1].sum() > 0.5 > some[2].sum()
    alone = again.alone(found.surplus)
    assert alone[0, 0] > 0.5 > alone[0, 1]
    assert alone[1, 1] > 0.5 > alone[1, 0]
    assert (alone[2] < 0.5).all()


def test_unknown_labels_are_refused(model):
    with pytest.raises(SelectraError, match="label 'sports': none of its words is known"):
        model.labels({"deporte": ["sports"]})


def test_storage(model, tmp_path):
    save_matching(model, tmp_path / "model")
    assert is_matching_model(tmp_path / "model")
    assert not is_matching_model(tmp_path)
    loaded = load_matching(tmp_path / "model")
    texts = ["el gol del portero", "la cebolla"]
    for field in ("logits", "surplus"):
        np.testing.assert_array_equal(
            getattr(loaded.match(texts, loaded.labels(NAMES)), field),
            getattr(model.match(texts, model.labels(NAMES)), field),
        )
    (tmp_path / "model" / "words.txt").write_text("uno\ndos\n", encoding="utf-8")
    with pytest.raises(SelectraError, match="does not fit 2 words"):
        load_matching(tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").write_bytes(b"half")
    with pytest.raises(SelectraError, match="damaged"):
        load_matching(tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    with pytest.raises(SelectraError, match="missing"):
        load_matching(tmp_path / "model")
    with pytest.raises(SelectraError, match="no matching model"):
        load_matching(tmp_path)
