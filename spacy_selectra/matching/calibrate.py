"""Calibrates the scores of a matching model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from spacy_selectra.errors import SelectraError
from spacy_selectra.matching.model import MatchingModel
from spacy_selectra.matching.pairs import Pairs
from spacy_selectra.util.extras import required

_LABELS = 20  # of a source, a typical number in use
_NEGATIVES = 4  # wrong labels per text
_TEMPERATURES = np.exp(np.linspace(np.log(0.2), np.log(5.0), 40))
_NOTHING = np.linspace(-10.0, 20.0, 121)


def calibrate(
    model: MatchingModel,
    sources: Mapping[str, Pairs],
    *,
    texts: int = 300,
    seed: int = 0,
) -> MatchingModel:
    """Calibrate a model on held-out pairs.

    The scale of the logits and the logit of "none of these" minimise the negative log-likelihood
    of the right answers: a text's label among up to twenty of its source, and "none" with that
    label removed. Independent (multi-label) probabilities are logistic regression on the surplus,
    with four wrong labels per right label.

    Args:
        model: a trained model.
        sources: held-out pairs of text and label, by source.
        texts: maximum number of texts per source.
        seed: for the sample of texts.

    Returns:
        The calibrated model.

    Raises:
        SelectraError: no source with two labels of known words.
    """
    rng = np.random.default_rng(seed)
    alternatives: list[tuple[np.ndarray, np.ndarray]] = []
    surplus, fits = [np.zeros(0)], [np.zeros(0)]
    for pairs in sources.values():
        names = sorted({label for _, label in pairs if len(model.index.places(label))})
        if len(names) < 2:
            continue
        names = [names[place] for place in rng.permutation(len(names))[:_LABELS]]
        known = [pair for pair in pairs if pair[1] in names]
        some = [known[place] for place in rng.permutation(len(known))[:texts]]
        right = np.array([names.index(label) for _, label in some])
        found = model.match([text for text, _ in some], model.labels({n: [n] for n in names}))
        alternatives.append((found.logits.astype(np.float64), right))
        rows = np.arange(len(some))
        others = rng.integers(1, len(names), size=(_NEGATIVES, len(some)))
        wrong = [found.surplus[rows, (right + step) % len(names)] for step in others]
        surplus += [found.surplus[rows, right], *wrong]
        fits += [np.ones(len(some)), np.zeros(_NEGATIVES * len(some))]
    if not alternatives:
        raise SelectraError("calibration needs a source with at least two labels of known words")
    temperature = min(_TEMPERATURES, key=lambda value: _surprise(alternatives, value))
    nothing = min(_NOTHING, key=lambda value: _surprise(alternatives, temperature, value))
    slope, offset = _logistic(np.arcsinh(np.concatenate(surplus)), np.concatenate(fits))
    calibration = replace(
        model.calibration,
        scale=model.calibration.scale * float(temperature),
        nothing=float(nothing),
        slope=slope,
        offset=offset,
    )
    return MatchingModel(model.index.words, model.tables, calibration, model.origin)


def _surprise(
    alternatives: Sequence[tuple[np.ndarray, np.ndarray]],
    temperature: float,
    nothing: float | None = None,
) -> float:
    """Mean negative log-likelihood of the right answers, macro-averaged over sources."""
    total = 0.0
    for logits, right in alternatives:
        scaled = logits * temperature
        rows = np.arange(len(right))
        if nothing is None:
            total += float(np.mean(_log_sum(scaled) - scaled[rows, right]))
            continue
        none = np.full((len(right), 1), nothing)
        without = scaled.copy()
        without[rows, right] = -np.inf
        total += float(np.mean(_log_sum(np.hstack([scaled, none])) - scaled[rows, right]))
        total += float(np.mean(_log_sum(np.hstack([without, none])) - nothing))
    return total / len(alternatives)


def _log_sum(logits: np.ndarray) -> np.ndarray:
    highest = logits.max(axis=1, keepdims=True)
    return np.log(np.exp(logits - highest).sum(axis=1)) + highest[:, 0]


def _logistic(values: np.ndarray, fits: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of a logistic regression."""
    regression = required("sklearn.linear_model:LogisticRegression", what="calibrating labels")
    fitted = regression(C=1e3).fit(values[:, None], fits)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
