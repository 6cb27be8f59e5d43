"""Scores of classification."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def accuracy(gold: np.ndarray, predicted: np.ndarray, classes: int) -> float:
    """Share of examples whose class is right; `gold` and `predicted` are (N,) class numbers."""
    del classes
    return float(np.mean(gold == predicted))


def macro_f1(gold: np.ndarray, predicted: np.ndarray, classes: int) -> float:
    """Mean over classes of F1 = 2 TP / (2 TP + FP + FN), 0 for a class never seen nor predicted.

    As scikit-learn's `f1_score(average="macro", zero_division=0)` over all classes.
    """
    counts = np.bincount(gold * classes + predicted, minlength=classes * classes)
    table = counts.reshape(classes, classes)
    found, actual, guessed = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    denominators = actual + guessed
    return float(np.mean(2 * found / np.where(denominators == 0, 1, denominators)))


METRICS: dict[str, Callable[[np.ndarray, np.ndarray, int], float]] = {
    "accuracy": accuracy,
    "macro_f1": macro_f1,
}


def all_scores(gold: np.ndarray, predicted: np.ndarray, classes: int) -> dict[str, float]:
    """Every metric by name."""
    return {name: metric(gold, predicted, classes) for name, metric in METRICS.items()}
