"""Probabilities of labels for texts, with a cache of prepared labels."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence

import numpy as np

from spacy_selectra.errors import SelectraError
from spacy_selectra.matching.model import Labels, MatchingModel

Key = tuple[tuple[str, tuple[str, ...]], ...]

_KEPT = 32  # size of the cache; a label set per document must not fill the memory


class MatchingScorer:
    """A matching model with the interface of `EntailmentScorer`.

    Args:
        model: the model.
    """

    def __init__(self, model: MatchingModel) -> None:
        self.model = model
        self._few_shot: FewShot | None = None
        self._fitted: Key = ()
        self._labels: OrderedDict[Key, Labels] = OrderedDict()

    def probabilities(
        self,
        texts: Sequence[str],
        wordings: Mapping[str, Sequence[str]],
        *,
        multi_label: bool,
        nothing: bool = False,
    ) -> np.ndarray:
        """Probability of each label for each text.

        Exclusive labels use what `fit` has learned, if it got the same labels and wordings.

        Args:
            texts: texts; without known words, all labels are equally probable.
            wordings: one or several wordings of each label.
            multi_label: score each label independently; otherwise labels are exclusive.
            nothing: exclusive labels, or none of them.

        Returns:
            (texts, labels) in [0, 1].

        Raises:
            SelectraError: a wording without known words.
        """
        calibration = self.model.calibration
        if self._few_shot and not multi_label and _key(wordings) == self._fitted:
            return calibration.alternatives(self._few_shot.logits(texts), nothing)
        found = self.model.match(texts, self._read(wordings))
        if multi_label:
            return calibration.alone(found.surplus)
        return calibration.alternatives(found.logits, nothing)

    def fit(
        self, wordings: Mapping[str, Sequence[str]], examples: Mapping[str, Sequence[str]]
    ) -> None:
        """Learn from a few texts of each label; see `FewShot`.

        Raises:
            SelectraError: a label without examples, or examples of an unknown label.
        """
        self._few_shot = FewShot(self.model, self._read(wordings), examples)
        self._fitted = _key(wordings)

    def _read(self, wordings: Mapping[str, Sequence[str]]) -> Labels:
        key = _key(wordings)
        if key in self._labels:
            self._labels.move_to_end(key)
        else:
            self._labels[key] = self.model.labels(wordings)
            if len(self._labels) > _KEPT:
                self._labels.popitem(last=False)
        return self._labels[key]


def _key(wordings: Mapping[str, Sequence[str]]) -> Key:
    return tuple((name, tuple(own)) for name, own in wordings.items())


# Few-shot classification: a matching model with a few examples per label.

# Tuned on the training texts of SIB-200 and fb-tod with 1, 4 and 16 examples per label: the weight
# of the zero-shot logits, and the L2 penalty, which decreases with the number of examples.
PRIOR = 0.3
PENALTY = 1.0
_STEPS = 500


class FewShot:
    """Logistic regression on mean word vectors, with a matching model's logits as offsets.

    Args:
        model: a matching model.
        labels: the prepared labels.
        examples: texts by label; at least one per label.

    Raises:
        SelectraError: no examples, a label without examples, or examples of an unknown label.
    """

    def __init__(
        self, model: MatchingModel, labels: Labels, examples: Mapping[str, Sequence[str]]
    ) -> None:
        if not examples:
            raise SelectraError("there are no examples; give at least one of each label")
        if unknown := [name for name in examples if name not in labels.names]:
            raise SelectraError(f"there are examples of '{unknown[0]}', which is not a label")
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
        # Nesterov's accelerated gradient in the span of the examples; the Hessian of softmax
        # cross-entropy is at most 1/2
        size = 1 / (np.linalg.norm(alike, 2) / 2 + penalty)
        ahead = before = self._weights
        for step in range(_STEPS):
            given = model.calibration.alternatives(prior + alike @ ahead, nothing=False)
            error = given - right
            self._weights = ahead - size * (error + penalty * ahead)
            ahead = self._weights + step / (step + 3) * (self._weights - before)
            before = self._weights

    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """(texts, labels) logits of exclusive labels."""
        known = self._model.read(texts)
        learned = self._model.vectors_of(known) @ (self._vectors.T @ self._weights)
        return PRIOR * self._model.match_words(known, self._labels).logits + learned
