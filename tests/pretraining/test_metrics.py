from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as reference

from spacy_selectra.pretraining.metrics import calibration_error, detection_metrics, roc_auc


@pytest.mark.parametrize("decimals", [1, 8])
def test_equal_to_scikit_learn_with_and_without_ties(decimals):
    rng = np.random.default_rng(0)
    labels = rng.random(5000) < 0.1
    logits = np.round(rng.normal(size=5000) + labels - 1.0, decimals)
    ours = detection_metrics(labels, logits)
    found = logits > 0
    assert ours["auc"] == pytest.approx(reference.roc_auc_score(labels, logits), abs=1e-12)
    assert ours["accuracy"] == pytest.approx(reference.accuracy_score(labels, found))
    assert ours["precision"] == pytest.approx(reference.precision_score(labels, found))
    assert ours["recall"] == pytest.approx(reference.recall_score(labels, found))
    assert ours["f1"] == pytest.approx(reference.f1_score(labels, found))
    assert ours["base_rate"] == pytest.approx(labels.mean())


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
