"""Measures of a binary classifier over many scores, in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CALIBRATION_BINS = 15
THRESHOLDS = tuple(tenth / 10 for tenth in range(1, 10))
RECALLS = (0.5, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class OperatingPoints:
    """What a classifier finds at each threshold that makes a difference, the highest first.

    Attributes:
        thresholds: (K,) float64, distinct scores, descending; the score itself is accepted.
        hits: (K,) int64, true ones at or over the threshold.
        found: (K,) int64, all at or over the threshold.
        positives: all true ones.
        negatives: all others.
    """

    thresholds: np.ndarray
    hits: np.ndarray
    found: np.ndarray
    positives: int
    negatives: int

    @classmethod
    def of(cls, labels: np.ndarray, scores: np.ndarray) -> OperatingPoints:
        """For labels (N,) bool and scores (N,) float, higher meaning more likely true."""
        order = np.argsort(scores, kind="stable")[::-1]
        ordered = scores[order].astype(np.float64)
        last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)])
        hits = np.cumsum(labels[order], dtype=np.int64)[last]
        positives = int(labels.sum())
        return cls(ordered[last], hits, last + 1, positives, len(labels) - positives)

    @property
    def precision(self) -> np.ndarray:
        """(K,) share of those found that are true."""
        return self.hits / self.found

    @property
    def recall(self) -> np.ndarray:
        """(K,) share of the true ones that are found; 0 if there are none."""
        return self.hits / max(1, self.positives)

    @property
    def f1(self) -> np.ndarray:
        """(K,) harmonic mean of precision and recall."""
        return 2 * self.hits / np.maximum(1, self.found + self.positives)

    @property
    def false_positive_rate(self) -> np.ndarray:
        """(K,) share of the others that are found; 0 if there are none."""
        return (self.found - self.hits) / max(1, self.negatives)


def probability(logits: np.ndarray) -> np.ndarray:
    """Logistic function in float64, without overflow."""
    return 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -500, 500)))


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


def auc_interval(
    labels: np.ndarray,
    scores: np.ndarray,
    lengths: np.ndarray,
    replicates: int,
    seed: int = 0,
) -> tuple[float, float]:
    """95% interval of `roc_auc` by the percentile bootstrap (Efron and Tibshirani 1993, ch. 13).

    Whole sequences are drawn with replacement: pieces of one sequence are not independent.

    Args:
        labels: (N,) bool.
        scores: (N,) float.
        lengths: (B,) pieces of each sequence, in the order of `labels`; they add up to N.
        replicates: how many times to draw.
        seed: of the draws.

    Returns:
        Lower and upper end; nan if no draw holds both classes.
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


def average_precision(points: OperatingPoints) -> float:
    """Mean precision over the true ones as recall grows, without interpolation.

    The sum over thresholds of precision times the gain in recall; what a random order gets is
    the base rate. nan if nothing is true.
    """
    if not points.positives:
        return float("nan")
    return float((np.diff(points.recall, prepend=0.0) * points.precision).sum())


def reliability(
    labels: np.ndarray, probabilities: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pieces, true pieces and sum of probabilities in each of 15 equal bins of probability."""
    bins = np.minimum((probabilities * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    counts = np.bincount(bins, minlength=CALIBRATION_BINS)
    observed = np.bincount(bins, weights=labels, minlength=CALIBRATION_BINS)
    expected = np.bincount(bins, weights=probabilities, minlength=CALIBRATION_BINS)
    return counts, observed, expected


def calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Expected calibration error over 15 equal bins of probability (Guo et al. 2017, section 2).

    The bins are of the probability of "true", so that the rare class is not hidden.
    """
    if not len(labels):
        return float("nan")
    _, observed, expected = reliability(labels, probabilities)
    return float(np.abs(observed - expected).sum() / len(labels))


def log_loss(labels: np.ndarray, logits: np.ndarray) -> float:
    """Mean binary cross-entropy in nats."""
    if not len(labels):
        return float("nan")
    signed = np.where(labels, logits, -logits).astype(np.float64)
    return float(np.logaddexp(0.0, -signed).mean())


def detection_metrics(labels: np.ndarray, logits: np.ndarray) -> dict[str, float]:
    """Accuracy, precision, recall and F1 at probability 0.5, and measures of all thresholds.

    Precision and recall are 0 where they are not defined, nothing being found or there to find.

    Args:
        labels: (N,) bool, whether a piece was replaced.
        logits: (N,) float.

    Returns:
        `accuracy`, `precision`, `recall`, `f1`, `auc`, `average_precision`, `base_rate`,
        `calibration_error`, `brier` (mean squared error of the probability, Brier 1950).
    """
    found = logits > 0
    hits = int((found & labels).sum())
    precision = hits / max(1, int(found.sum()))
    recall = hits / max(1, int(labels.sum()))
    probabilities = probability(logits)
    size = len(labels)
    return {
        "accuracy": float((found == labels).mean()) if size else float("nan"),
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / max(1e-12, precision + recall),
        "auc": roc_auc(labels, logits),
        "average_precision": average_precision(OperatingPoints.of(labels, logits)),
        "base_rate": float(labels.mean()) if size else float("nan"),
        "calibration_error": calibration_error(labels, probabilities),
        "brier": float(np.square(probabilities - labels).mean()) if size else float("nan"),
    }


def threshold_table(
    labels: np.ndarray, logits: np.ndarray, thresholds: Sequence[float] = THRESHOLDS
) -> list[dict[str, float]]:
    """`threshold`, `precision`, `recall`, `f1`: what is over a probability is called replaced."""
    probabilities = probability(logits)
    positives = int(labels.sum())
    rows = []
    for threshold in thresholds:
        found = probabilities > threshold
        hits, total = int((found & labels).sum()), int(found.sum())
        rows.append(
            {
                "threshold": threshold,
                "precision": hits / max(1, total),
                "recall": hits / max(1, positives),
                "f1": 2 * hits / max(1, total + positives),
            }
        )
    return rows


def best_f1(points: OperatingPoints) -> dict[str, float]:
    """The probability with the highest F1, as a row of `threshold_table`; empty if nothing is true.

    Args:
        points: of logits.
    """
    if not points.positives:
        return {}
    best = int(np.argmax(points.f1))
    accepted = points.thresholds[best : best + 2]
    # half-way to the next lower score, so that rounding changes no verdict
    threshold = float(probability(accepted.mean(keepdims=True))[0]) if len(accepted) > 1 else 0.0
    return {
        "threshold": threshold,
        "precision": float(points.precision[best]),
        "recall": float(points.recall[best]),
        "f1": float(points.f1[best]),
    }


def precision_at_recall(
    points: OperatingPoints, recalls: Sequence[float] = RECALLS
) -> list[dict[str, float]]:
    """Highest `precision` with at least each `recall`; empty if nothing is true."""
    if not points.positives:
        return []
    recall, precision = points.recall, points.precision
    return [
        {"recall": wanted, "precision": float(precision[recall >= wanted].max())}
        for wanted in recalls
    ]
