"""Measures of a binary classifier over many scores, in numpy."""

from __future__ import annotations

import numpy as np

CALIBRATION_BINS = 15


def roc_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve, exactly, ties counted half (Mann and Whitney 1947).

    Args:
        labels: (N,) bool.
        scores: (N,) float, higher meaning more likely true.

    Returns:
        A share, or nan if only one class is there.
    """
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return float("nan")
    _, group, counts = np.unique(scores, return_inverse=True, return_counts=True)
    # equal scores share the mean of the ranks they take up, counted from 1
    ranks = np.cumsum(counts) - (counts - 1) / 2
    rank_sum = ranks[group.reshape(-1)][labels].sum()
    return float((rank_sum - positives * (positives + 1) / 2) / (positives * negatives))


def calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Expected calibration error over 15 equal bins of probability (Guo et al. 2017, section 2).

    The bins are of the probability of "true", so that the rare class is not hidden.
    """
    if not len(labels):
        return float("nan")
    bins = np.minimum((probabilities * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    observed = np.bincount(bins, weights=labels, minlength=CALIBRATION_BINS)
    expected = np.bincount(bins, weights=probabilities, minlength=CALIBRATION_BINS)
    return float(np.abs(observed - expected).sum() / len(labels))


def detection_metrics(labels: np.ndarray, logits: np.ndarray) -> dict[str, float]:
    """Accuracy, precision, recall and F1 at probability 0.5, AUC, base rate, calibration error.

    Precision and recall are 0 where they are not defined, nothing being found or there to find.

    Args:
        labels: (N,) bool, whether a piece was replaced.
        logits: (N,) float.
    """
    found = logits > 0
    hits = int((found & labels).sum())
    precision = hits / max(1, int(found.sum()))
    recall = hits / max(1, int(labels.sum()))
    probabilities = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -500, 500)))
    return {
        "accuracy": float((found == labels).mean()) if len(labels) else float("nan"),
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / max(1e-12, precision + recall),
        "auc": roc_auc(labels, logits),
        "base_rate": float(labels.mean()) if len(labels) else float("nan"),
        "calibration_error": calibration_error(labels, probabilities),
    }
