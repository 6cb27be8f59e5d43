"""Metrics of a binary classifier, by scikit-learn where it has them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spacy_selectra.util.extras import required

CALIBRATION_BINS = 15
THRESHOLDS = tuple(tenth / 10 for tenth in range(1, 10))
RECALLS = (0.5, 0.8, 0.9, 0.95)


def probability(logits: np.ndarray) -> np.ndarray:
    """Sigmoid in float64, without overflow."""
    return 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -500, 500)))


def roc_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve, ties counted half; nan if all labels are the same.

    Args:
        labels: (N,) bool.
        scores: (N,) float; higher scores mean true.

    Raises:
        SelectraError: scikit-learn is not installed (also in the functions below).
    """
    if labels.all() or not labels.any():
        return float("nan")
    return float(required("sklearn.metrics").roc_auc_score(labels, scores))


def auc_interval(
    labels: np.ndarray,
    scores: np.ndarray,
    lengths: np.ndarray,
    replicates: int,
    seed: int = 0,
) -> tuple[float, float]:
    """95% confidence interval of `roc_auc` by the percentile bootstrap.

    (Efron and Tibshirani 1993, chapter 13.) Whole sequences are resampled, because pieces of one
    sequence are not independent.

    Args:
        labels: (N,) bool.
        scores: (N,) float.
        lengths: (B,) pieces of each sequence, in the order of `labels`; their sum is N.
        replicates: number of bootstrap replicates.
        seed: of the resampling.

    Returns:
        Lower and upper end; nan if no replicate has both classes.
    """
    order = np.argsort(scores, kind="stable")
    ordered, positive = scores[order], labels[order]
    sequence = np.repeat(np.arange(len(lengths)), lengths)[order]
    first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(replicates):
        drawn = rng.integers(len(lengths), size=len(lengths))
        weights = np.bincount(drawn, minlength=len(lengths)).astype(np.float64)[sequence]
        hits = np.add.reduceat(weights * positive, first)
        misses = np.add.reduceat(weights * ~positive, first)
        pairs = hits.sum() * misses.sum()
        if pairs:
            below = np.cumsum(misses) - misses / 2  # ties counted half
            found.append(float((hits * below).sum() / pairs))
    if not found:
        return float("nan"), float("nan")
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """Average precision, without interpolation; nan if no label is true.

    A random order gets the base rate.
    """
    if not labels.any():
        return float("nan")
    return float(required("sklearn.metrics").average_precision_score(labels, scores))


def reliability(
    labels: np.ndarray, probabilities: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count, number of true labels and sum of probabilities in each of 15 equal bins."""
    bins = np.minimum((probabilities * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    counts = np.bincount(bins, minlength=CALIBRATION_BINS)
    observed = np.bincount(bins, weights=labels, minlength=CALIBRATION_BINS)
    expected = np.bincount(bins, weights=probabilities, minlength=CALIBRATION_BINS)
    return counts, observed, expected


def calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Expected calibration error over 15 equal bins of probability (Guo et al. 2017, section 2).

    Bins are by the probability of "true", not of the predicted class, so that errors in a rare
    class show.
    """
    if not len(labels):
        return float("nan")
    _, observed, expected = reliability(labels, probabilities)
    return float(np.abs(observed - expected).sum() / len(labels))


def log_loss(labels: np.ndarray, logits: np.ndarray) -> float:
    """Mean binary cross-entropy in nats, from logits, which do not saturate as probabilities do."""
    if not len(labels):
        return float("nan")
    signed = np.where(labels, logits, -logits).astype(np.float64)
    return float(np.logaddexp(0.0, -signed).mean())


def detection_metrics(labels: np.ndarray, logits: np.ndarray) -> dict[str, float]:
    """Accuracy, precision, recall and F1 at probability 0.5, and metrics without a threshold.

    Precision and recall are 0 if they are undefined (no positive predictions or labels).

    Args:
        labels: (N,) bool, whether a piece was replaced.
        logits: (N,) float.

    Returns:
        `accuracy`, `precision`, `recall`, `f1`, `auc`, `average_precision`, `base_rate`,
        `calibration_error`, `brier` (mean squared error of the probability, Brier 1950).
    """
    found = logits > 0
    probabilities = probability(logits)
    result = {
        "accuracy": float("nan"),
        **_found_scores(labels, found),
        "auc": roc_auc(labels, logits),
        "average_precision": average_precision(labels, logits),
        "base_rate": float("nan"),
        "calibration_error": calibration_error(labels, probabilities),
        "brier": float("nan"),
    }
    if len(labels):
        result["accuracy"] = float((found == labels).mean())
        result["base_rate"] = float(labels.mean())
        result["brier"] = float(required("sklearn.metrics").brier_score_loss(labels, probabilities))
    return result


def _found_scores(labels: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """Precision, recall and F1 of (N,) bool predictions; 0 if they are undefined."""
    hits, total, positives = (int(part.sum()) for part in (found & labels, found, labels))
    return {
        "precision": hits / max(1, total),
        "recall": hits / max(1, positives),
        "f1": 2 * hits / max(1, total + positives),
    }


def threshold_table(
    labels: np.ndarray, logits: np.ndarray, thresholds: Sequence[float] = THRESHOLDS
) -> list[dict[str, float]]:
    """Rows of `threshold`, `precision`, `recall`, `f1`; positive is a probability above it."""
    probabilities = probability(logits)
    return [
        {"threshold": threshold, **_found_scores(labels, probabilities > threshold)}
        for threshold in thresholds
    ]


def best_f1(labels: np.ndarray, logits: np.ndarray) -> dict[str, float]:
    """The threshold with the highest F1, as a row of `threshold_table`.

    If several have the same F1, it is the highest of them. Empty if no label is true.
    """
    if not labels.any():
        return {}
    precision, recall, thresholds = required("sklearn.metrics").precision_recall_curve(
        labels, logits
    )
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    # rounded, or the last bit would decide between thresholds with the same F1
    best = len(f1) - 1 - int(np.argmax(f1[::-1].round(12)))
    # half-way to the next lower score, so that rounding changes no prediction
    accepted = thresholds[best - 1 : best + 1].astype(np.float64)
    return {
        "threshold": float(probability(accepted.mean(keepdims=True))[0]) if best else 0.0,
        "precision": float(precision[best]),
        "recall": float(recall[best]),
        "f1": float(f1[best]),
    }


def precision_at_recall(
    labels: np.ndarray, scores: np.ndarray, recalls: Sequence[float] = RECALLS
) -> list[dict[str, float]]:
    """Highest `precision` at each minimal `recall`; empty if no label is true."""
    if not labels.any():
        return []
    precision, recall, _ = required("sklearn.metrics").precision_recall_curve(labels, scores)
    return [
        {"recall": wanted, "precision": float(precision[recall >= wanted].max())}
        for wanted in recalls
    ]
