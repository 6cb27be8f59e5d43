"""A few examples of each label on top of what a matching model knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from spacy_selectra.errors import SelectraError
from spacy_selectra.matching.model import Labels, MatchingModel

# Found on SIB-200's and fb-tod's training texts, with 1, 4 and 16 examples of each label: how much
# of the logits without examples stays, and the penalty, which every further example lowers.
PRIOR = 0.3
PENALTY = 1.0
_STEPS = 500


class FewShot:
    """Logistic regression on mean word vectors, whose offsets are a matching model's logits.

    With no example nothing but the model speaks; with many its voice is one among others.

    Args:
        model: a matching model.
        labels: its labels, read.
        examples: texts of each label, by name; every label has at least one.

    Raises:
        SelectraError: no labels, a label without an example, or an example of no label.
    """

    def __init__(
        self, model: MatchingModel, labels: Labels, examples: Mapping[str, Sequence[str]]
    ) -> None:
        if not examples:
            raise SelectraError("there are no examples; give at least one of each label")
        if unknown := [name for name in examples if name not in labels.names]:
            raise SelectraError(f"there are examples of '{unknown[0]}', which is no label")
        if empty := [name for name in labels.names if not examples.get(name)]:
            raise SelectraError(f"label '{empty[0]}' has no example; give at least one of each")
        self._model = model
        self._labels = labels
        texts = [text for name in labels.names for text in examples[name]]
        own = [number for number, name in enumerate(labels.names) for _ in examples[name]]
        known = model.read(texts)
        self._vectors = model.vectors_of(known)
        self._weights = np.zeros((len(texts), len(labels)))
        right = np.eye(len(labels))[own]
        prior = PRIOR * model.match_words(known, labels).logits.astype(np.float64)
        alike = (self._vectors @ self._vectors.T).astype(np.float64)
        penalty = PENALTY * len(labels) / len(texts)
        # Nesterov's descent in the space of the examples; a softmax bends by a half at most
        size = 1 / (np.linalg.norm(alike, 2) / 2 + penalty)
        ahead = before = self._weights
        for step in range(_STEPS):
            given = model.calibration.alternatives(prior + alike @ ahead, nothing=False)
            error = given - right
            self._weights = ahead - size * (error + penalty * ahead)
            ahead = self._weights + step / (step + 3) * (self._weights - before)
            before = self._weights

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """(texts, labels) logits of labels of which one is right."""
        known = self._model.read(texts)
        learned = self._model.vectors_of(known) @ (self._vectors.T @ self._weights)
        return PRIOR * self._model.match_words(known, self._labels).logits + learned
