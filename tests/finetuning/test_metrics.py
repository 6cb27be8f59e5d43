from __future__ import annotations

import sys

import numpy as np
import pytest
from sklearn.metrics import f1_score

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.metrics import (
    answer_scores,
    check_libraries,
    class_scores,
    entity_scores,
    tag_scores,
    value_scores,
)


def test_a_class_never_seen_nor_predicted_counts_as_zero():
    random = np.random.default_rng(0)
    gold, predicted = random.integers(0, 4, 60), random.integers(0, 3, 60)
    scores = class_scores(gold, predicted, range(5))
    assert scores["accuracy"] == pytest.approx((gold == predicted).mean())
    four = f1_score(gold, predicted, labels=range(4), average="macro", zero_division=0)
    assert scores["macro_f1"] == pytest.approx(four * 4 / 5)


def test_entities_count_as_wholes():
    gold = [["B-PER", "I-PER", "O", "B-LOC"]]
    scores = entity_scores(gold, [["B-PER", "O", "O", "B-LOC"]])
    assert scores == {"f1": 0.5, "precision": 0.5, "recall": 0.5}
    assert entity_scores(gold, [["O"] * 4])["f1"] == 0.0


def test_tags_count_one_by_one():
    assert tag_scores([["A", "B"], ["A"]], [["A", "A"], ["A"]]) == {
        "accuracy": pytest.approx(2 / 3)
    }


def test_correlations():
    gold = np.array([0.0, 1.0, 2.0, 5.0])
    assert value_scores(gold, gold**3)["spearman"] == pytest.approx(1.0)
    assert value_scores(gold, -gold)["pearson"] == pytest.approx(-1.0)
    assert value_scores(gold, np.ones(4)) == {"pearson": 0.0, "spearman": 0.0}


def test_the_best_of_several_right_answers_counts():
    right = [["en Cádiz", "Cádiz"], [], ["el gato negro"]]
    scores = answer_scores(right, ["Cádiz", "", "gato"])
    assert scores["exact_match"] == pytest.approx(2 / 3)
    assert scores["f1"] == pytest.approx((1 + 1 + 0.5) / 3)


ANSWERS = [
    "el gato",
    "El  gato!",
    "the cat",
    "A cat",
    "",
    "¿Qué?",
    "12,5 %",
    "cat-a-log",
    "un gato",
]


@pytest.mark.parametrize("right", ANSWERS)
def test_answers_are_compared_as_transformers_does(right):
    squad = pytest.importorskip("transformers.data.metrics.squad_metrics")
    for answer in ANSWERS:
        scores = answer_scores([[right]], [answer])
        assert scores["exact_match"] == squad.compute_exact(right, answer)
        assert scores["f1"] == pytest.approx(squad.compute_f1(right, answer))


@pytest.mark.parametrize(
    ("head", "entities", "module"),
    [
        ("classes", False, "sklearn.metrics"),
        ("value", False, "scipy.stats"),
        ("tags", True, "seqeval.metrics"),
        ("tags", False, "sklearn.metrics"),
    ],
)
def test_a_missing_library_is_noticed_before_training(head, entities, module, monkeypatch):
    check_libraries(head, entities=entities)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SelectraError, match=r"pip install .spacy-selectra\[train\]"):
        check_libraries(head, entities=entities)
