from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as reference

from spacy_selectra.pretraining.evaluation.metrics import (
    OperatingPoints,
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


@pytest.mark.parametrize("decimals", [1, 8])
def test_equal_to_scikit_learn_with_and_without_ties(decimals):
    labels, logits = detector(decimals=decimals)
    ours = detection_metrics(labels, logits)
    found = logits > 0
    assert ours["auc"] == pytest.approx(reference.roc_auc_score(labels, logits), abs=1e-12)
    assert ours["accuracy"] == pytest.approx(reference.accuracy_score(labels, found))
    assert ours["precision"] == pytest.approx(reference.precision_score(labels, found))
    assert ours["recall"] == pytest.approx(reference.recall_score(labels, found))
    assert ours["f1"] == pytest.approx(reference.f1_score(labels, found))
    assert ours["base_rate"] == pytest.approx(labels.mean())
    expected = reference.average_precision_score(labels, logits)
    assert ours["average_precision"] == pytest.approx(expected, abs=1e-12)
    probabilities = 1 / (1 + np.exp(-logits))
    assert ours["brier"] == pytest.approx(reference.brier_score_loss(labels, probabilities))
    assert log_loss(labels, logits) == pytest.approx(reference.log_loss(labels, probabilities))


@pytest.mark.parametrize("decimals", [1, 8])
def test_operating_points_are_those_of_scikit_learn(decimals):
    labels, logits = detector(decimals=decimals)
    points = OperatingPoints.of(labels, logits)
    rates, recall, thresholds = reference.roc_curve(labels, logits, drop_intermediate=False)
    np.testing.assert_allclose(points.thresholds, thresholds[1:])
    np.testing.assert_allclose(points.recall, recall[1:])
    np.testing.assert_allclose(points.false_positive_rate, rates[1:])
    precision, recall, _ = reference.precision_recall_curve(labels, logits)
    np.testing.assert_allclose(points.precision, precision[-2::-1])
    np.testing.assert_allclose(points.recall, recall[-2::-1])


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
    best = best_f1(OperatingPoints.of(labels, logits))
    probabilities = probability(logits)
    all_of_them = [0.0, *np.unique(probabilities)]
    scores = [reference.f1_score(labels, probabilities > t, zero_division=0) for t in all_of_them]
    assert best["f1"] == pytest.approx(max(scores))
    row = threshold_table(labels, logits, [best["threshold"]])[0]
    assert row == pytest.approx(best)


def test_precision_at_recall_is_the_highest_there():
    labels, logits = detector(600)
    rows = precision_at_recall(OperatingPoints.of(labels, logits), [0.5, 0.95])
    precision, recall, _ = reference.precision_recall_curve(labels, logits)
    for row in rows:
        assert row["precision"] == pytest.approx(precision[recall >= row["recall"]].max())


def test_nothing_true_has_no_best_threshold_and_no_average():
    points = OperatingPoints.of(np.zeros(4, dtype=bool), np.arange(4.0))
    assert best_f1(points) == {}
    assert precision_at_recall(points) == []
    assert math.isnan(average_precision(points))


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
