"""From scores of labels to probabilities, for exclusive labels and for multi-label use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spacy_selectra.util.arrays import sigmoid, softmax

# Added to the standard deviation before division, against overconfidence for unrelated words.
SMALLEST_SPREAD = 0.003


@dataclass(frozen=True)
class Calibration:
    """Calibration parameters, fitted on held-out texts.

    Attributes:
        usual: share of a label's expected score that is subtracted, 0 to 1.
        spread: the rest is divided by the standard deviation to this power, 0 to 1.
        scale: scale of the logits of exclusive labels.
        nothing: logit of "none of these".
        slope: for a label by itself: slope of the logit over arcsinh(surplus).
        offset: intercept of that logit.
    """

    usual: float = 0.5
    spread: float = 0.2
    scale: float = 30.0
    nothing: float = 1.0
    slope: float = 1.0
    offset: float = -2.0

    def logits(self, scores: np.ndarray, usual: np.ndarray, spread: np.ndarray) -> np.ndarray:
        """(texts, wordings) scores to logits, normalised by mean and deviation in ordinary text."""
        return (
            self.scale * (scores - self.usual * usual) / (spread + SMALLEST_SPREAD) ** self.spread
        )

    def alternatives(self, logits: np.ndarray, nothing: bool) -> np.ndarray:
        """(texts, labels) probabilities of exclusive labels.

        Args:
            logits: (texts, labels).
            nothing: "none of these" is possible and has the remaining probability.
        """
        if not nothing:
            return softmax(logits)
        none = np.full((len(logits), 1), self.nothing, dtype=logits.dtype)
        return softmax(np.hstack([logits, none]))[:, :-1]

    def alone(self, surplus: np.ndarray) -> np.ndarray:
        """Multi-label probabilities from (texts, labels) surplus."""
        # a rare word that fits can be a hundred standard deviations above the mean
        return sigmoid(self.slope * np.arcsinh(surplus) + self.offset)
