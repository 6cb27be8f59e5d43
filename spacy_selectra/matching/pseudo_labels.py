"""Pseudo-labels for unlabelled text from word vectors, as training data for an encoder.

Pseudo-labelling (Lee 2013, "Pseudo-label: the simple and efficient semi-supervised learning method
for deep neural networks"), but with word vectors as the teacher: they need less text than an
encoder to learn which words belong to a topic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from spacy_selectra.matching.classifier import Pairs, fit_regression
from spacy_selectra.matching.model import MatchingModel
from spacy_selectra.util.arrays import keep_some

_BLOCK = 4096  # texts per batch


@dataclass(frozen=True)
class PseudoLabelSettings:
    """Selection of pseudo-labelled texts.

    Attributes:
        least: minimum probability of the label.
        per_label: maximum texts per label, randomly sampled.
        seed: for the random sample.
    """

    least: float = 0.6
    per_label: int = 2500
    seed: int = 0


def pseudo_labels(
    model: MatchingModel,
    examples: Pairs,
    texts: Iterable[str],
    settings: PseudoLabelSettings | None = None,
) -> list[tuple[str, str]]:
    """Label texts by logistic regression on their mean word vectors.

    Args:
        model: only its word vectors are used.
        examples: texts with labels.
        texts: unlabelled texts, read once as a stream.
        settings: selection of texts.

    Returns:
        Texts with labels, in random order.

    Raises:
        SelectraError: fewer than two labels in the examples, or scikit-learn is not installed.
    """
    chosen = settings or PseudoLabelSettings()
    teacher = fit_regression(
        _vectors(model, [text for text, _ in examples]), [label for _, label in examples]
    )
    random = np.random.default_rng(chosen.seed)
    kept: dict[str, list[str]] = {label: [] for label in teacher.classes_}
    seen: Counter[str] = Counter()
    for block in _blocks(texts):
        probabilities = teacher.predict_proba(_vectors(model, block))
        best = probabilities.argmax(axis=1)
        for place in np.flatnonzero(probabilities.max(axis=1) >= chosen.least).tolist():
            label = teacher.classes_[best[place]]
            seen[label] += 1
            keep_some(kept[label], block[place], seen[label], chosen.per_label, random)
    found = [(text, str(label)) for label, own in kept.items() for text in own]
    return [found[place] for place in random.permutation(len(found))]


def _vectors(model: MatchingModel, texts: Sequence[str]) -> np.ndarray:
    return model.vectors_of(model.read(texts))


def _blocks(texts: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(texts)
    return iter(lambda: list(islice(rest, _BLOCK)), [])
