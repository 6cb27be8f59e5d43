from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_selectra.pretraining.evaluation.metrics import (
    auc_interval,
    average_precision,
    best_f1,
    calibration_error,
    detection_metrics,
    log_loss,
    precision_at_recall,
    probability,
    roc_auc,
    threshold_table,
)


def detector(size: int = 5000, decimals: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Labels, a tenth of them true, and logits that know something of them."""
    rng = np.random.default_rng(0)
    labels = rng.random(size) < 0.1
    return labels, np.round(rng.normal(size=size) + labels - 1.0, decimals)


@given(st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), max_size=12))
def test_measures_are_what_their_definitions_say(pieces):
    labels = np.array([label for label, _ in pieces], dtype=bool)
    logits = np.array([logit for _, logit in pieces], dtype=np.float32)
    result = detection_metrics(labels, logits)
    true, other = logits[labels], logits[~labels]
    over = [(np.mean(labels[logits >= s]), np.mean(true >= s)) for s in sorted(set(true))[::-1]]
    gains = np.diff([0.0, *(recall for _, recall in over)])
    p = 1 / (1 + np.exp(-logits.astype(float)))
    expected = {
        "auc": [float(t > o) + (t == o) / 2 for t in true for o in other],
        "average_precision": [sum(gains * [precision for precision, _ in over])] if over else [],
        "accuracy": (logits > 0) == labels,
        "base_rate": labels,
        "brier": (p - labels) ** 2,
    }
    for key, values in expected.items():
        mean = np.mean(values) if len(values) else math.nan
        assert result[key] == pytest.approx(mean, abs=1e-12, nan_ok=True), key
    cross_entropy = -np.log(np.where(labels, p, 1 - p))
    mean = cross_entropy.mean() if pieces else math.nan
    assert log_loss(labels, logits) == pytest.approx(mean, nan_ok=True)


def test_precision_recall_and_f1_by_hand():
    result = detection_metrics(np.array([1, 1, 1, 0, 0], bool), np.array([2.0, 1, -1, 3, -2]))
    assert [result[key] for key in ("precision", "recall", "f1")] == pytest.approx([2 / 3] * 3)


def test_auc_of_one_class_is_not_a_number():
    assert math.isnan(roc_auc(np.zeros(5, dtype=bool), np.arange(5.0)))


def test_nothing_found_is_zero_and_not_an_error():
    result = detection_metrics(np.array([True, False]), np.array([-1.0, -2.0]))
    assert result["precision"] == result["recall"] == result["f1"] == 0.0


def test_calibration_error():
    rng = np.random.default_rng(1)
    probabilities = rng.random(200_000)
    honest = rng.random(200_000) < probabilities
    assert calibration_error(honest, probabilities) < 0.01
    assert calibration_error(np.zeros(100, dtype=bool), np.full(100, 0.3)) == pytest.approx(0.3)


def test_huge_logits_do_not_overflow():
    result = detection_metrics(np.array([True, False]), np.array([1e5, -1e5]))
    assert result["calibration_error"] == pytest.approx(0.0, abs=1e-100)
    assert log_loss(np.array([True, False]), np.array([-1e5, 1e5])) == pytest.approx(1e5)


def test_threshold_table_at_one_half_is_the_usual_verdict():
    labels, logits = detector()
    expected = detection_metrics(labels, logits)
    rows = {row["threshold"]: row for row in threshold_table(labels, logits)}
    assert list(rows) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    for key in ("precision", "recall", "f1"):
        assert rows[0.5][key] == pytest.approx(expected[key])
    assert rows[0.1]["recall"] > rows[0.9]["recall"]


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_no_threshold_beats_the_best_and_using_it_gives_what_it_says(decimals):
    labels, logits = detector(600, decimals)
    best = best_f1(labels, logits)
    probabilities = probability(logits)
    all_of_them = [0.0, *np.unique(probabilities)]
    assert best["f1"] == pytest.approx(
        max(row["f1"] for row in threshold_table(labels, logits, all_of_them))
    )
    row = threshold_table(labels, logits, [best["threshold"]])[0]
    assert row == pytest.approx(best)


def test_precision_at_recall_is_the_highest_there():
    labels, logits = detector(600)
    table = threshold_table(labels, logits, [0.0, *np.unique(probability(logits))])
    for row in precision_at_recall(labels, logits, [0.5, 0.95]):
        best = max(other["precision"] for other in table if other["recall"] >= row["recall"])
        assert row["precision"] == pytest.approx(best)


def test_nothing_true_has_no_best_threshold_and_no_average():
    nothing = np.zeros(4, dtype=bool), np.arange(4.0)
    assert best_f1(*nothing) == {}
    assert precision_at_recall(*nothing) == []
    assert math.isnan(average_precision(*nothing))


def test_interval_holds_the_area_and_shrinks_with_more_sequences():
    labels, logits = detector(8000)
    few = auc_interval(labels[:800], logits[:800], np.full(20, 40), 200)
    many = auc_interval(labels, logits, np.full(200, 40), 200)
    for low, high in (few, many):
        assert low < roc_auc(labels, logits) < high
    assert many[1] - many[0] < (few[1] - few[0]) / 2
    assert auc_interval(labels, logits, np.full(200, 40), 200) == many


def test_interval_is_over_sequences_so_repeated_pieces_count_for_nothing():
    labels, logits = detector(300, decimals=1)
    once = auc_interval(labels, logits, np.ones(300, dtype=int), 100)
    ten = auc_interval(labels.repeat(10), logits.repeat(10), np.full(300, 10), 100)
    assert ten == pytest.approx(once)


def test_interval_of_a_perfect_detector_and_of_one_class():
    labels = np.array([True, False] * 50)
    assert auc_interval(labels, labels.astype(float), np.full(50, 2), 50) == (1.0, 1.0)
    found = auc_interval(np.zeros(10, dtype=bool), np.arange(10.0), np.full(5, 2), 5)
    assert np.isnan(found).all()
