"""Labels for unlabelled text by word vectors, from which an encoder then learns.

Pseudo-labelling (Lee 2013, "Pseudo-label: the simple and efficient semi-supervised learning method
for deep neural networks") with another teacher than the student itself: counting knows early which
words belong to a subject, which an encoder has to read a lot of text for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from spacy_selectra.errors import SelectraError
from spacy_selectra.matching.model import MatchingModel
from spacy_selectra.util.arrays import keep_some
from spacy_selectra.util.extras import required

Pairs = Sequence[tuple[str, str]]
_BLOCK = 4096  # texts judged at a time
# Inverse of the penalty: the best of 0.3, 1, 2 and 10 on SIB-200's and a newspaper's sections.
_INVERSE_PENALTY = 2.0


@dataclass(frozen=True)
class PseudoLabelSettings:
    """Which texts are kept.

    Attributes:
        least: probability of its label that a text needs.
        per_label: most texts of a label; of more, a random choice.
        seed: of the choice.
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
    """Texts and the labels that a logistic regression on their word vectors gives them.

    A label's examples weigh with the inverse root of their number, so that rare labels are given,
    too.

    Args:
        model: its word vectors are used, not what it knows of matching.
        examples: texts and their labels.
        texts: without labels; read once, and not kept.
        settings: which are kept.

    Returns:
        In random order.

    Raises:
        SelectraError: fewer than two labels in the examples, or scikit-learn is not installed.
    """
    chosen = settings or PseudoLabelSettings()
    counts = Counter(label for _, label in examples)
    if len(counts) < 2:
        raise SelectraError(
            f"pseudo-labels need examples of two labels at least (found: {', '.join(counts)})"
        )
    regression = required("sklearn.linear_model:LogisticRegression")
    teacher = regression(C=_INVERSE_PENALTY, max_iter=3000)
    weights = np.array([counts[label] ** -0.5 for _, label in examples])
    teacher.fit(
        _vectors(model, [text for text, _ in examples]),
        [label for _, label in examples],
        weights * len(weights) / weights.sum(),
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
