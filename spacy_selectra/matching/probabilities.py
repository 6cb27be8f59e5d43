"""From scores of labels to probabilities that one of them, or each for itself, is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spacy_selectra.util.arrays import softmax

# Added to a spread before it divides: no label may be sure on account of words that fit nothing.
SMALLEST_SPREAD = 0.003


@dataclass(frozen=True)
class Calibration:
    """Numbers that turn scores into probabilities, fitted on texts the model was not trained on.

    Attributes:
        usual: share of a label's usual score that is taken off, 0 to 1.
        spread: power of a label's usual deviation the rest is divided by, 0 to 1.
        scale: of the logits, for alternatives of which one is right.
        nothing: logit of "none of these".
        slope: of the logit of a label by itself, with the inverse hyperbolic sine of its surplus.
        offset: of that logit.
    """

    usual: float = 0.5
    spread: float = 0.2
    scale: float = 30.0
    nothing: float = 1.0
    slope: float = 1.0
    offset: float = -2.0

    def logits(self, scores: np.ndarray, usual: np.ndarray, spread: np.ndarray) -> np.ndarray:
        """(texts, wordings) scores to logits, by each wording's usual score and deviation."""
        return (
            self.scale * (scores - self.usual * usual) / (spread + SMALLEST_SPREAD) ** self.spread
        )

    def alternatives(self, logits: np.ndarray, nothing: bool) -> np.ndarray:
        """Probabilities of labels of which one is right: (texts, labels) that add up to 1.

        Args:
            logits: (texts, labels).
            nothing: whether none of them may be right, too; the rest is its probability.
        """
        if not nothing:
            return softmax(logits)
        none = np.full((len(logits), 1), self.nothing, dtype=logits.dtype)
        return softmax(np.hstack([logits, none]))[:, :-1]

    def alone(self, surplus: np.ndarray) -> np.ndarray:
        """Probabilities of labels that are judged one by one, from (texts, labels) surplus."""
        # a rare word that fits can be a hundred deviations away
        return sigmoid(self.slope * np.arcsinh(surplus) + self.offset)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """In (0, 1), whatever the logits."""
    return 1 / (1 + np.exp(-np.clip(logits, -60, 60)))
