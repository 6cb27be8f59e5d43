"""What two networks said of a held-out text, and all that is measured on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spacy_selectra.pretraining.metrics import (
    OperatingPoints,
    auc_interval,
    best_f1,
    detection_metrics,
    log_loss,
    precision_at_recall,
    threshold_table,
)


@dataclass(frozen=True)
class Verdicts:
    """What the discriminator thinks of N pieces of B sequences, and how the generator did.

    Attributes:
        logits: (N,) float32, of "replaced".
        replaced: (N,) bool.
        input_ids: (N,) int32, the pieces before any was replaced.
        lengths: (B,) int64, pieces of each sequence.
        masked: pieces the generator had to predict.
        mlm_correct: of these, how many its best guess hits.
        mlm_loss: its cross-entropy over them, in nats, summed.
    """

    logits: np.ndarray
    replaced: np.ndarray
    input_ids: np.ndarray
    lengths: np.ndarray
    masked: int
    mlm_correct: int
    mlm_loss: float

    def measures(self) -> dict[str, float]:
        """See `evaluate_networks`."""
        masked = max(1, self.masked)
        return detection_metrics(self.replaced, self.logits) | {
            "rtd_loss": log_loss(self.replaced, self.logits),
            "mlm_accuracy": self.mlm_correct / masked,
            "sampled_mlm_accuracy": 1 - int(self.replaced.sum()) / masked,
            "mlm_loss": self.mlm_loss / masked,
            "pieces": len(self.logits),
            "masked": self.masked,
            "sequences": len(self.lengths),
        }

    def without(self, ids: Sequence[int]) -> dict[str, float]:
        """The discriminator's measures over pieces that are none of `ids`."""
        kept = ~np.isin(self.input_ids, ids)
        return detection_metrics(self.replaced[kept], self.logits[kept])

    def at_thresholds(self) -> dict[str, Any]:
        """`thresholds`, `best_f1`, `precision_at_recall`: where to set a detector's threshold."""
        points = OperatingPoints.of(self.replaced, self.logits)
        return {
            "thresholds": threshold_table(self.replaced, self.logits),
            "best_f1": best_f1(points),
            "precision_at_recall": precision_at_recall(points),
        }

    def auc_interval(self, replicates: int, seed: int) -> tuple[float, float]:
        """See `metrics.auc_interval`."""
        return auc_interval(self.replaced, self.logits, self.lengths, replicates, seed)
