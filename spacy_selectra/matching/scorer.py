"""Probabilities of labels for texts, with labels read once and kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence

import numpy as np

from spacy_selectra.matching.few_shot import FewShot
from spacy_selectra.matching.model import Labels, MatchingModel

Key = tuple[tuple[str, tuple[str, ...]], ...]

_KEPT = 32  # sets of labels; a set per document must not fill the memory


class MatchingScorer:
    """A matching model behind the face of `EntailmentScorer`.

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

        Labels that `fit` was given, worded alike, are told by what it has learned as well, unless
        each is to be judged alone.

        Args:
            texts: a text of which no word is known has every label equally probable.
            wordings: one or several wordings of each label.
            multi_label: judge every label alone; else one of them is right.
            nothing: one of them is right, or none.

        Returns:
            (texts, labels) in [0, 1].

        Raises:
            SelectraError: a wording of which no word is known.
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
            SelectraError: a label without an example, or an example of no label.
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
