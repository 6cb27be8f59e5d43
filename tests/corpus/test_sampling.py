from __future__ import annotations

import random

import numpy as np
import pytest

from spacy_selectra.corpus.holdout import is_heldout
from spacy_selectra.corpus.ngram_model import NgramModel
from spacy_selectra.corpus.perplexity_sampling import (
    METHODS,
    plan_sample,
    sample_documents,
    sample_weights,
)
from spacy_selectra.errors import SelectraError
from tests.corpus.conftest import as_documents, spanish_texts


@pytest.fixture(scope="module")
def model() -> NgramModel:
    model = NgramModel(order=3, bits=16)
    model.train(spanish_texts(100, seed=1))
    return model


def test_perplexity_orders_texts_by_likeness(model: NgramModel) -> None:
    text = spanish_texts(1, seed=2)[0]
    words = text.split()
    shuffled = " ".join(random.Random(0).sample(words, len(words)))
    assert model.perplexity(text) < model.perplexity(shuffled) / 3
    assert model.perplexity(shuffled) < model.perplexity("quick brown foxes jump over lazy dogs")
    assert model.perplexity("") == float("inf")


def test_probabilities_follow_the_formula() -> None:
    model = NgramModel(order=2, bits=20, prior=2.0)
    model.train(["a b a b a c"])
    places = 2**20
    a = (3 + 2 / places) / (6 + 2)
    b = (2 + 2 / places) / (6 + 2)
    b_after_a = (2 + 2 * b) / (3 + 2)
    assert model.perplexity("a b") == pytest.approx((a * b_after_a) ** -0.5)


def test_probabilities_of_seen_words_and_the_mass_of_unseen_ones_sum_to_one() -> None:
    model = NgramModel(order=2, bits=20, prior=5.0)
    model.train(["a b a b a c d"])
    context = model.perplexity("a")
    seen = sum(model.perplexity(f"a {word}") ** -2 * context for word in "abcd")
    unseen = 5 / (3 + 5) * 5 / (7 + 5)  # prior after "a" times prior of single words
    assert seen + unseen == pytest.approx(1.0, abs=1e-4)


def test_gaussian_prefers_the_median_and_stepwise_the_dense_quarter() -> None:
    perplexities = np.array([100.0, 200.0, 210.0, 400.0, 5000.0])
    quartiles = (150.0, 200.0, 300.0)
    gaussian = sample_weights(perplexities, quartiles, "gaussian")
    assert gaussian.argmax() == 1
    assert gaussian[4] < 1e-6
    assert gaussian[0] == pytest.approx(np.exp(-0.25 / 4.5))
    stepwise = sample_weights(perplexities, quartiles, "stepwise")
    np.testing.assert_allclose(stepwise, [1 / 150, 1 / 50, 1 / 100, 1 / 3000, 1 / 3000])
    assert (sample_weights(perplexities, quartiles, "random") == 1.0).all()
    assert sample_weights(np.array([np.inf]), quartiles, "random")[0] == 0.0


@pytest.mark.parametrize("method", METHODS)
def test_the_share_asked_for_is_kept(model: NgramModel, method: str) -> None:
    documents = as_documents([*spanish_texts(600, seed=3), ""])
    plan = plan_sample(lambda: iter(documents), model, method, share=0.3, seed=5)  # type: ignore[arg-type]
    assert plan.probabilities.sum() == pytest.approx(0.3 * 601)
    kept = list(sample_documents(lambda: iter(documents), plan))
    assert 130 < len(kept) < 230  # 180, four standard deviations of 11
    assert kept == list(sample_documents(lambda: iter(documents), plan))
    assert all(document.text for document in kept)


def test_sampling_does_not_favour_heldout_documents(model: NgramModel) -> None:
    documents = as_documents(spanish_texts(1000, seed=4))
    plan = plan_sample(lambda: iter(documents), model, "random", share=0.3)
    kept = list(sample_documents(lambda: iter(documents), plan))
    heldout = sum(is_heldout(document.text, 0.3) for document in kept)
    assert 0.2 < heldout / len(kept) < 0.4


def test_errors(model: NgramModel) -> None:
    with pytest.raises(SelectraError, match="unknown method 'best'"):
        plan_sample(lambda: iter([]), model, "best")  # type: ignore[arg-type]
    with pytest.raises(SelectraError, match="share must be above 0"):
        plan_sample(lambda: iter([]), model, share=0.0)
    with pytest.raises(SelectraError, match="all documents are empty"):
        plan_sample(lambda: iter(as_documents([""])), model)
    plan = plan_sample(lambda: iter(as_documents(["a b"])), model)
    with pytest.raises(SelectraError, match="changed between the two passes"):
        list(sample_documents(lambda: iter(as_documents(["a b", "c"])), plan))
    with pytest.raises(SelectraError, match="no words"):
        NgramModel().train([" "])
