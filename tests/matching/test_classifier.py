"""A textcat of words: what it learns, that a table is enough for it, and its place in pipelines."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
import spacy
from spacy.training import Example
from typer.testing import CliRunner

from spacy_selectra.cli.labels import labels_app
from spacy_selectra.errors import SelectraError
from spacy_selectra.matching.classifier import train_classifier, word_logits
from spacy_selectra.matching.storage import save_matching
from spacy_selectra.packaging.textcat_pipeline import textcat_pipeline
from tests.matching.conftest import COMMON, SUBJECTS, text_about


def examples(seed: int, count: int = 30, words: int = 12) -> list[tuple[str, str]]:
    rng = np.random.default_rng(seed)
    return [(text_about(s, rng, words), s) for _ in range(count) for s in SUBJECTS]


@pytest.fixture(scope="module")
def classifier(model):
    return train_classifier(model, examples(5))


@pytest.fixture
def nlp(model, classifier):
    return textcat_pipeline(model.index.words, classifier)


def test_texts_that_were_not_trained_on(nlp):
    found = list(nlp.pipe(text for text, _ in examples(6)))
    right = [max(doc.cats, key=doc.cats.get) == own for doc, (_, own) in zip(found, examples(6))]  # noqa: B905
    assert np.mean(right) > 0.95  # chance: a third
    assert all(sum(doc.cats.values()) == pytest.approx(1) for doc in found)


def test_a_table_says_what_a_regression_on_vectors_does(model, classifier):
    """Of long texts of one subject; a table cannot know the length of the mean of their vectors."""
    texts = [text for text, _ in examples(7, words=60)]
    known = model.read(texts)
    bounds = known[1]
    places = [known[0][a:b] for a, b in pairwise(bounds)]
    tables = classifier.table, classifier.bias, classifier.weights
    logits = word_logits(places, *tables, classifier.related)
    means, lengths = model.mean_vectors(known)
    # (texts, words) cosines of the mean with every word, weighted: the length of the mean itself
    assert np.allclose(np.linalg.norm(means, axis=1), 1, atol=1e-5)
    summed = [
        (classifier.weights[own, None] * classifier.table[own]).sum(axis=0)
        / classifier.weights[own].sum()
        for own in places
    ]
    exact = np.stack(summed) / lengths[:, None] + classifier.bias
    assert (logits.argmax(axis=1) == exact.argmax(axis=1)).all()
    assert np.corrcoef(logits.ravel(), exact.ravel())[0, 1] > 0.98


def test_texts_without_known_words_have_what_labels_have_on_average(nlp, classifier):
    empty, strange = nlp(""), nlp("xyz qqq")
    assert set(empty.cats.values()) == {0.0}  # as spaCy's textcat without tokens
    expected = np.exp(classifier.bias) / np.exp(classifier.bias).sum()
    assert list(strange.cats.values()) == pytest.approx(expected.tolist(), abs=1e-5)


def test_disk_and_bytes(nlp, tmp_path):
    nlp.to_disk(tmp_path / "nlp")
    text = examples(8)[0][0]
    expected = nlp(text).cats
    for other in (spacy.load(tmp_path / "nlp"), spacy.blank("es").from_bytes(nlp.to_bytes())):
        if "textcat" not in other.pipe_names:  # from_bytes needs the pipes
            other.add_pipe("textcat", source=nlp)
        assert other(text).cats == pytest.approx(expected, abs=1e-6)


def test_two_labels(model):
    two = [(text, own) for text, own in examples(9) if own != "cocina"]
    nlp = textcat_pipeline(model.index.words, train_classifier(model, two))
    doc = nlp("el gol de la liga")
    assert doc.cats["deportes"] > 0.8
    assert sum(doc.cats.values()) == pytest.approx(1)


def test_spacys_training_is_refused_with_what_to_do(nlp):
    doc = nlp.make_doc("el gol de la liga")
    example = Example.from_dict(doc, {"cats": {"deportes": 1.0, "cocina": 0.0, "música": 0.0}})
    with pytest.raises(SelectraError, match=r"frozen_components"):
        nlp.get_pipe("textcat").update([example], sgd=None)
    with pytest.raises(ValueError, match="E922"):
        nlp.get_pipe("textcat").add_label("otra")
    blank = spacy.blank("es")
    blank.add_pipe("textcat", config={"model": {"@architectures": "spacy-selectra.WordTextCat.v1"}})
    with pytest.raises(SelectraError, match="labels textcat"):
        blank.initialize(lambda: [example])


def test_command(model, tmp_path):
    save_matching(model, tmp_path / "model")
    with (tmp_path / "topics.jsonl").open("w", encoding="utf-8") as file:
        for text, label in examples(5):
            print(json.dumps({"text": text, "label": label}), file=file)
    given = ["textcat", tmp_path / "topics.jsonl", tmp_path / "out", "--model", tmp_path / "model"]
    found = CliRunner().invoke(labels_app, [str(one) for one in given], catch_exceptions=False)
    assert "3 labels, trained on 90 texts" in found.output
    nlp = spacy.load(tmp_path / "out")
    doc = nlp("el gol de la liga en el estadio")
    assert max(doc.cats, key=doc.cats.get) == "deportes"
    nothing = nlp(" ".join(COMMON)).cats
    assert max(nothing.values()) < 0.8
