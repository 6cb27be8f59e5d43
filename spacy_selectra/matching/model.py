"""Scores of labels for texts, from similarities between their words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spacy_selectra.errors import SelectraError
from spacy_selectra.matching.probabilities import Calibration
from spacy_selectra.matching.words import WordIndex, flat, sums, unit
from spacy_selectra.util.arrays import sigmoid

# Maximum size of a similarity matrix, text words times label words.
_BLOCK = 8_000_000


@dataclass(frozen=True)
class WordTables:
    """Vectors and weights of the words, one row per word.

    Attributes:
        vectors: (words, d) int8, each row scaled to a maximum absolute value of 127.
        text_logit: (words,) float32, weight of the word in texts, before the sigmoid.
        label_logit: (words,) float32, its weight in labels, before the sigmoid.
        share: (words,) float32, relative frequency in ordinary text; the sum is at most 1.
        text_norm: (words,) float32, norm of each vector after `text_map`.
        text_map: (d, d) float32, linear map for words in texts.
        label_map: (d, d) float32, linear map for words in labels.
        floor: cosine below which two words count as unrelated.
    """

    vectors: np.ndarray
    text_logit: np.ndarray
    label_logit: np.ndarray
    share: np.ndarray
    text_norm: np.ndarray
    text_map: np.ndarray
    label_map: np.ndarray
    floor: float


@dataclass(frozen=True)
class Labels:
    """Labels prepared for scoring.

    Attributes:
        names: names of the labels.
        directions: (label words, d) float32, multiplied with the vectors of text words.
        weights: (label words,) float32; they sum to 1 within each wording.
        wordings: (wordings + 1,) first word of each wording, and the number of words.
        owners: (labels + 1,) first wording of each label, and the number of wordings.
        usual: (wordings,) float32, the expected score in ordinary text.
        spread: (wordings,) float32, the standard deviation of a single word's score there.
    """

    names: tuple[str, ...]
    directions: np.ndarray
    weights: np.ndarray
    wordings: np.ndarray
    owners: np.ndarray
    usual: np.ndarray
    spread: np.ndarray

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Matches:
    """Scores of several labels for several texts.

    Attributes:
        logits: (texts, labels) float32, to be compared with each other.
        surplus: (texts, labels) float32, standard deviations above the score that as many words
            of ordinary text have.
    """

    logits: np.ndarray
    surplus: np.ndarray


KnownWords = tuple[np.ndarray, np.ndarray]
"""(n,) int64 indices of the known words of several texts, (texts + 1,) int64 text bounds."""


class MatchingModel:
    """Scores labels for texts by comparing every word of a text with every word of a label.

    The score of label l for text t is a mean of similarities, weighted with w and v:

        s(t, l) = sum_i w_i sum_j v_j max(0, cos(A x_i, B y_j) - floor)^2

    over the words x_i of the text and y_j of the label. The squares emphasise the few words related
    to the label, which disappear in a cosine of mean vectors. Comparing each word of the label
    distinguishes "cancelar una alarma" from "poner una alarma". Scores are normalised with each
    label's mean and standard deviation in ordinary text, so that the result of a document does not
    depend on other documents.

    Args:
        words: distinct words by descending frequency.
        tables: rows of the words, in the same order.
        calibration: from scores to probabilities.
        origin: sources of the model, JSON-serialisable: `vectors`, `pairs`, and optionally
            `sources` and `limits`.

    Attributes:
        weights: (words,) float32, weight of each word in texts.

    Raises:
        SelectraError: tables that do not fit the words or each other.
    """

    def __init__(
        self,
        words: Sequence[str],
        tables: WordTables,
        calibration: Calibration | None = None,
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        _check(words, tables)
        self.index = WordIndex(words)
        self.tables = tables
        self.calibration = calibration or Calibration()
        self.origin = dict(origin or {})
        self._scale = 1 / np.maximum(tables.text_norm, 1e-6)
        self.weights = sigmoid(tables.text_logit)
        usual = tables.share * self.weights
        self._usual = usual / max(float(usual.sum()), 1e-12)

    def labels(self, wordings: Mapping[str, Sequence[str]]) -> Labels:
        """Prepare labels for scoring.

        Args:
            wordings: one or several wordings of each label, by name. The score of a label is the
                maximum over its wordings.

        Raises:
            SelectraError: a wording without known words.
        """
        texts = [wording for one in wordings.values() for wording in one]
        places = [self.index.places(text) for text in texts]
        for text, found in zip(texts, places, strict=True):
            if not len(found):
                raise SelectraError(
                    f"label '{text}': none of its words is known to the model; use other words"
                )
        words, bounds = flat(places)
        weights = sigmoid(self.tables.label_logit[words])
        weights /= np.repeat(sums(weights, bounds), np.diff(bounds))
        mapped = unit(self.tables.vectors[words].astype(np.float32) @ self.tables.label_map)
        labels = Labels(
            tuple(wordings),
            # cos(A x, B y) = x . (A^T B y) / |A x| |B y|, so text vectors need no map of their own
            mapped @ self.tables.text_map.T,
            weights,
            bounds,
            np.cumsum([0, *(len(one) for one in wordings.values())]),
            *np.zeros((2, len(texts)), dtype=np.float32),
        )
        return self._with_usual(labels)

    def read(self, texts: Sequence[str]) -> KnownWords:
        """Look up the words of texts for `match_words` and `vectors_of`."""
        return flat([self.index.places(text) for text in texts])

    def match(self, texts: Sequence[str], labels: Labels) -> Matches:
        """Score every label for every text; texts without known words have score 0."""
        return self.match_words(self.read(texts), labels)

    def match_words(self, known: KnownWords, labels: Labels) -> Matches:
        """`match` for texts from `read`."""
        words, bounds = known
        weights = self.weights[words]
        total = np.maximum(sums(weights, bounds), 1e-9)
        effective = total**2 / np.maximum(sums(weights**2, bounds), 1e-9)
        width = len(labels.usual)
        scores = self._weighted_sums(words, bounds, width, lambda some: self._common(some, labels))
        scores /= total[:, None]
        deviation = labels.spread / np.sqrt(effective)[:, None]
        surplus = (scores - labels.usual) / np.maximum(deviation, 1e-9)
        surplus[np.diff(bounds) == 0] = 0
        logits = self.calibration.logits(scores, labels.usual, labels.spread)
        return Matches(
            np.maximum.reduceat(logits, labels.owners[:-1], axis=1),
            np.maximum.reduceat(surplus, labels.owners[:-1], axis=1),
        )

    def vectors_of(self, known: KnownWords) -> np.ndarray:
        """(texts, d) float32 weighted means of word vectors, of length 1 (Arora et al. 2017).

        Zeros for texts without known words.
        """
        return self.mean_vectors(known)[0]

    def mean_vectors(self, known: KnownWords) -> tuple[np.ndarray, np.ndarray]:
        """`vectors_of`, and the (texts,) lengths of the means before they are normalised."""
        words, bounds = known
        vectors = self.tables.vectors
        width = vectors.shape[1]
        summed = self._weighted_sums(words, bounds, width, lambda some: unit(vectors[some]))
        total = np.maximum(sums(self.weights[words], bounds), 1e-9)
        return unit(summed), np.linalg.norm(summed, axis=1) / total

    def _weighted_sums(
        self,
        words: np.ndarray,
        bounds: np.ndarray,
        width: int,
        rows_of: Callable[[np.ndarray], np.ndarray],
    ) -> np.ndarray:
        """(texts, width) weighted sums of rows, which `rows_of` returns for distinct words."""
        result = np.zeros((len(bounds) - 1, width), dtype=np.float32)
        for texts in _blocks(len(result), width * int(np.diff(bounds).max(initial=1))):
            part = slice(bounds[texts.start], bounds[texts.stop])
            distinct, inverse = np.unique(words[part], return_inverse=True)
            rows = rows_of(distinct)[inverse] * self.weights[words[part], None]
            result[texts] = sums(rows, bounds[texts.start : texts.stop + 1] - part.start)
        return result

    def _common(self, words: np.ndarray, labels: Labels) -> np.ndarray:
        """(words,) indices to (words, wordings) similarities."""
        result = np.empty((len(words), len(labels.usual)), dtype=np.float32)
        for rows in _blocks(len(words), len(labels.weights)):
            some = words[rows]
            vectors = self.tables.vectors[some].astype(np.float32)
            vectors *= self._scale[some, None]
            similar = vectors @ labels.directions.T
            similar -= self.tables.floor
            np.maximum(similar, 0, out=similar)
            np.square(similar, out=similar)
            similar *= labels.weights
            result[rows] = np.add.reduceat(similar, labels.wordings[:-1], axis=1)
        return result

    def _with_usual(self, labels: Labels) -> Labels:
        words = np.flatnonzero(self._usual)
        shares = self._usual[words]
        mean = np.zeros(len(labels.usual), dtype=np.float64)
        square = np.zeros_like(mean)
        for rows in _blocks(len(words), len(labels.weights)):
            common = self._common(words[rows], labels)
            mean += shares[rows] @ common
            square += shares[rows] @ common**2
        deviation = np.sqrt(np.maximum(square - mean**2, 0))
        return replace(labels, usual=mean.astype(np.float32), spread=deviation.astype(np.float32))


def _check(words: Sequence[str], tables: WordTables) -> None:
    size, width = tables.vectors.shape
    expected = {
        "vectors": (len(words), width),
        **dict.fromkeys(("text_logit", "label_logit", "share", "text_norm"), (len(words),)),
        **dict.fromkeys(("text_map", "label_map"), (width, width)),
    }
    for name, shape in expected.items():
        if getattr(tables, name).shape != shape:
            raise SelectraError(
                f"matching model: {name} is of shape {getattr(tables, name).shape}, "
                f"which does not fit {len(words)} words and {size} vectors of {width} numbers"
            )
    if len(set(words)) < len(words):
        raise SelectraError("matching model: a word occurs twice")


def _blocks(count: int, width: int) -> list[slice]:
    step = max(1, _BLOCK // max(1, width))
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]
