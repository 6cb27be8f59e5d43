"""Classification of texts by their words: logistic regression on word vectors, in one table.

A linear classifier of mean word vectors is a sum over words, so its products with the vectors are
computed once, for all words: classifying needs a table of words and labels, and no vectors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spacy_selectra.errors import SelectraError
from spacy_selectra.matching.model import MatchingModel
from spacy_selectra.matching.words import flat, sums, unit
from spacy_selectra.util.extras import required

Pairs = Sequence[tuple[str, str]]
# Inverse L2 penalty: the best of 0.3, 1, 2 and 10 on SIB-200 and the sections of a newspaper.
_INVERSE_PENALTY = 2.0


@dataclass(frozen=True)
class WordClassifier:
    """A linear classifier of weighted means of word vectors.

    The mean of n unrelated vectors of length 1 has a length of about 1 / sqrt(n), that of related
    ones is longer. Means are divided by sqrt(r + (1 - r) / n), the expected length for an average
    relatedness r, in place of their own, which a table of words and labels does not tell.

    Attributes:
        labels: names of the labels.
        table: (words, labels) float32, logits of texts of one word, without the bias.
        bias: (labels,) float32.
        weights: (words,) float32, weight of each word in a text.
        related: r, the average cosine of two words of a text.
    """

    labels: tuple[str, ...]
    table: np.ndarray
    bias: np.ndarray
    weights: np.ndarray
    related: float


def word_logits(
    places: Sequence[np.ndarray],
    table: np.ndarray,
    bias: np.ndarray,
    weights: np.ndarray,
    related: float,
) -> np.ndarray:
    """(texts, labels) float32 logits of a `WordClassifier`, from the word indices of each text.

    Without known words the logits are the bias.
    """
    words, bounds = flat(places)
    own = weights[words]
    total = np.maximum(sums(own, bounds), 1e-9)
    length = _expected_length(total, sums(own**2, bounds), related)
    summed = sums(table[words] * own[:, None], bounds)
    return summed / (total * length)[:, None] + bias


def train_classifier(model: MatchingModel, examples: Pairs) -> WordClassifier:
    """Logistic regression on the mean word vectors of texts.

    Args:
        model: only its word vectors and weights are used.
        examples: texts with labels.

    Raises:
        SelectraError: fewer than two labels in the examples, or scikit-learn is not installed.
    """
    known = model.read([text for text, _ in examples])
    weights = model.weights
    words, bounds = known
    total = np.maximum(sums(weights[words], bounds), 1e-9)
    squares = sums(weights[words] ** 2, bounds)
    vectors, lengths = model.mean_vectors(known)
    # lengths**2 = r + (1 - r) / n, solved for r
    share = squares / total**2
    spread = np.maximum(1 - share, 1e-6)
    related = float(np.clip(((lengths**2 - share) / spread)[share < 0.5].mean(), 0, 1))
    scaled = vectors * (lengths / _expected_length(total, squares, related))[:, None]
    regression = fit_regression(scaled, [label for _, label in examples])
    rows = unit(model.tables.vectors.astype(np.float32))
    table = (rows @ regression.coef_.T).astype(np.float32)
    bias = regression.intercept_.astype(np.float32)
    if len(regression.classes_) == 2:  # scikit-learn has one row of coefficients then
        table, bias = np.hstack([0 * table, table]), np.append(np.float32(0), bias)
    labels = tuple(str(label) for label in regression.classes_)
    return WordClassifier(labels, table, bias, weights, related)


def fit_regression(vectors: np.ndarray, labels: Sequence[str]):
    """scikit-learn's logistic regression on (texts, d) vectors.

    Examples are weighted by the inverse square root of their label's frequency, so that rare labels
    are predicted as well.

    Raises:
        SelectraError: fewer than two labels, or scikit-learn is not installed.
    """
    counts = Counter(labels)
    if len(counts) < 2:
        raise SelectraError(
            f"examples of at least two labels are needed (found: {', '.join(counts)})"
        )
    regression = required("sklearn.linear_model:LogisticRegression")
    weights = np.array([counts[label] ** -0.5 for label in labels])
    fitted = regression(C=_INVERSE_PENALTY, max_iter=3000)
    return fitted.fit(vectors, list(labels), weights * len(weights) / weights.sum())


def _expected_length(total: np.ndarray, squares: np.ndarray, related: float) -> np.ndarray:
    return np.sqrt(related + (1 - related) * squares / total**2).clip(1e-6)
