"""Probabilities of entities, from the tag scores of words and the rules of IOB2.

Tag scores of words are independent, except that I follows B or I of its type (see `text.iob`).
So the probability of a tag sequence is that of independent words, conditional on valid sequences.
The probability of an entity is the sum over all sequences with this entity, computed with the
forward-backward algorithm over valid transitions (Rabiner 1989, "A tutorial on hidden Markov
models", section III-A).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from spacy_selectra.text.iob import OUTSIDE, Stretches, entities_of, log_probabilities
from spacy_selectra.util.arrays import runs

# First word, the one after the last, type.
Entity = tuple[int, int, int]

# Lowest log probability of a tag, so that no sum of exponentials is zero in float64; softmax of a
# network's float32 scores does not come near it.
_LEAST = -600.0


class Reading(NamedTuple):
    """An entity and its probability: first word, the one after the last, type."""

    start: int
    end: int
    kind: int
    probability: float


class EntityProbabilities:
    """Probabilities of the entities of several texts.

    Words that `best_tags` regards as outside without a search are outside here as well. This
    changes a probability by at most one thousandth for each such neighbouring word.

    Args:
        stretches: the texts' scores, and the words that may belong to an entity.
        temperature: divides the scores (Guo et al. 2017, section 4.2). It does not change the
            most probable tags.
    """

    def __init__(self, stretches: Stretches, temperature: float = 1.0) -> None:
        self._stretches = stretches
        self._temperature = temperature
        self._text_starts = np.cumsum([0, *stretches.lengths])[:-1]

    def of(self, entities: Sequence[Sequence[Entity]]) -> list[np.ndarray]:
        """Probability of each entity of each text, for entities of `entities_of`.

        Returns:
            For each text a (n,) float64 array; 0 for an entity that is partly in words regarded as
            outside.
        """
        counts = [len(found) for found in entities]
        flat = [entity for found in entities for entity in found]
        begins, ends, kinds = np.array(flat, dtype=np.int64).reshape(-1, 3).T
        shift = np.repeat(self._text_starts, counts)
        probabilities = self._probabilities(begins + shift, ends + shift, kinds)
        bounds = np.cumsum([0, *counts]).tolist()
        return [probabilities[first:last] for first, last in pairwise(bounds)]

    def _probabilities(self, begins: np.ndarray, ends: np.ndarray, kinds: np.ndarray) -> np.ndarray:
        found = np.zeros(len(begins))
        starts, sizes = self._stretches.starts, self._stretches.sizes
        if not len(begins) or not len(starts):
            return found
        by_start = np.argsort(starts)
        place = np.searchsorted(starts[by_start], begins, side="right") - 1
        own = by_start[place]  # before the first stretch, the last one, whose end is after theirs
        within = (begins >= starts[own]) & (ends <= starts[own] + sizes[own])
        if within.any():
            looked_at = np.zeros(len(starts), dtype=bool)
            looked_at[own[within]] = True
            passes = _Passes(self._stretches, np.flatnonzero(looked_at), self._temperature)
            own = (np.cumsum(looked_at) - 1)[own[within]]
            shift = passes.firsts[own] - starts[looked_at][own]
            found[within] = passes.probabilities(
                begins[within] + shift, ends[within] + shift, kinds[within]
            )
        return found

    def readings(self, least: float, kinds: int) -> list[list[Reading]]:
        """All entities of each text with a probability of at least `least`, by their first word.

        Args:
            least: in (0, 1].
            kinds: number of types.
        """
        found: list[list[Reading]] = [[] for _ in self._stretches.lengths]
        starts = self._stretches.starts
        if not len(starts):
            return found
        everything = np.arange(len(starts))
        passes = _Passes(self._stretches, everything, self._temperature)
        shift = np.repeat(starts - passes.firsts, self._stretches.sizes)
        begins, ends, types, probabilities = passes.at_least(least, kinds)
        shift = shift[begins]
        texts = np.searchsorted(np.cumsum(self._stretches.lengths), begins + shift, side="right")
        shift = shift - self._text_starts[texts]
        order = np.lexsort((ends, types, begins + shift))
        columns = (texts, begins + shift, ends + shift, types, probabilities)
        for text, *reading in zip(*(column[order].tolist() for column in columns), strict=True):
            found[text].append(Reading(*reading))
        return found


class _Passes:
    """Forward and backward pass over several stretches in parallel.

    The words of these stretches are renumbered, stretch after stretch.

    Both passes are one loop, because the backward pass is a forward pass over reversed words with
    transposed transitions. Probabilities are normalised at every step, as in Rabiner's section V-A.

    Args:
        stretches: all stretches.
        chosen: (C,) int64, ascending indices of the stretches to compute.
        temperature: divides the scores.

    Attributes:
        firsts: (C,) int64, first word of each.
    """

    def __init__(self, stretches: Stretches, chosen: np.ndarray, temperature: float) -> None:
        sizes = stretches.sizes[chosen]
        rows = runs(stretches.starts[chosen], sizes)
        logs = log_probabilities(stretches.scores[rows].astype(np.float64) / temperature)
        self._logs = np.where(logs == -np.inf, logs, np.maximum(logs, _LEAST))
        lasts = np.cumsum(sizes)
        self.firsts = lasts - sizes
        self._ends = np.repeat(lasts, sizes)
        # words by step; at each step, the stretches that are long enough come first
        active = np.searchsorted(-sizes, -np.arange(sizes[0]), side="left")
        which = runs(np.zeros_like(active), active)
        steps = np.repeat(np.arange(len(active)), active)
        words = np.stack([self.firsts[which] + steps, lasts[which] - 1 - steps])
        masses = np.exp(self._logs)[words]
        inside = slice(2, None, 2)
        masses[0, : active[0], inside] = 0  # I is invalid at the beginning
        allowed = _allowed(masses.shape[2])
        both = np.stack([allowed, allowed.T])
        sums = np.empty((2, len(which)))
        begin, before = 0, None
        for count in active.tolist():
            here = masses[:, begin : begin + count]
            if before is not None:
                here *= before[:, :count] @ both
            total = here.sum(axis=2)
            here /= total[:, :, None]
            sums[:, begin : begin + count] = total
            begin, before = begin + count, here
        by_word = np.empty((2, len(which)))
        by_word[[[0], [1]], words] = np.log(sums)
        self._forward = np.concatenate(([0.0], np.cumsum(by_word[0])))
        beyond = np.concatenate(([0.0], np.cumsum(by_word[1] - by_word[0])))
        alone = np.empty(len(which))
        with np.errstate(divide="ignore"):
            alone[words[1]] = np.log(masses[1, :, OUTSIDE] + masses[1, :, 1::2].sum(axis=1))
        # log of the probability that an entity can end before a word, over that of anything
        self._following = alone + beyond[self._ends] - beyond[:-1]

    def probabilities(self, begins: np.ndarray, ends: np.ndarray, kinds: np.ndarray) -> np.ndarray:
        """(n,) float64 probabilities of entities in the stretches, from (n,) words and types."""
        sizes = ends - begins - 1
        inner = self._logs[runs(begins + 1, sizes), np.repeat(2 + 2 * kinds, sizes)]
        entity = np.repeat(np.arange(len(begins)), sizes)
        mass = self._logs[begins, 1 + 2 * kinds]
        mass = mass + np.bincount(entity, weights=inner, minlength=len(begins))
        return self._probability(mass, begins, ends)

    def at_least(self, least: float, kinds: int) -> tuple[np.ndarray, ...]:
        """First word, the one after the last, type and probability, (n,) each, of all entities."""
        begins = np.repeat(np.arange(len(self._logs)), kinds)
        types = np.tile(np.arange(kinds), len(self._logs))
        ends, mass = begins + 1, self._logs[:, 1::2].reshape(-1)
        found: list[tuple[np.ndarray, ...]] = []
        while len(begins):
            probability = self._probability(mass, begins, ends)
            good = probability >= least
            found.append((begins[good], ends[good], types[good], probability[good]))
            # the rest has a probability of at most 1, so this is an upper bound for all longer
            # entities
            stop = self._ends[begins]
            most = np.exp(mass + self._forward[begins] - self._forward[stop])
            longer = (ends < stop) & (most >= least)
            begins, ends, types, mass = (x[longer] for x in (begins, ends, types, mass))
            mass = mass + self._logs[ends, 2 + 2 * types]
            ends = ends + 1
        return tuple(np.concatenate(column) for column in zip(*found, strict=True))

    def _probability(self, mass: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
        last = ends == self._ends[begins]
        following = np.where(last, 0.0, self._following[np.where(last, 0, ends)])
        mass = mass - (self._forward[ends] - self._forward[begins]) + following
        return np.minimum(1.0, np.exp(mass))


def _allowed(count: int) -> np.ndarray:
    """(tags, tags) float64: 1 if the tag of the row may be followed by the tag of the column."""
    allowed = np.zeros((count, count))
    allowed[:, [OUTSIDE, *range(1, count, 2)]] = 1
    inside = np.arange(2, count, 2)
    allowed[inside, inside] = allowed[inside - 1, inside] = 1
    return allowed


# Range of temperatures: from four times as confident to a tenth as confident.
_TEMPERATURES = np.geomspace(0.25, 10.0, 149)


def best_temperature(scores: Sequence[np.ndarray], gold: Sequence[Sequence[Entity]]) -> float:
    """The temperature that calibrates the probabilities of predicted entities best.

    Minimises the negative log-likelihood of predicted entities being correct or not (Guo et al.
    2017, "On calibration of modern neural networks", section 4.2, for entities instead of classes).
    The precision is 2.5%, which is enough for probabilities.

    Args:
        scores: (n, tags) logits of each text.
        gold: its true entities.

    Raises:
        ValueError: there are no predicted entities.
    """
    lengths = [len(part) for part in scores]
    logits = np.concatenate(scores) if lengths else np.zeros((0, 1))
    stretches = Stretches(logits, lengths)
    found = entities_of(stretches.best_tags(), lengths)
    right = np.array(
        [entity in true for own, true in zip(found, map(set, gold), strict=True) for entity in own]
    )
    if not len(right):
        raise ValueError("no entity is found in any text")
    losses = []
    for temperature in _TEMPERATURES:
        of_each = EntityProbabilities(stretches, float(temperature)).of(found)
        probabilities = np.clip(np.concatenate(of_each), 1e-6, 1 - 1e-6)
        losses.append(-np.log(np.where(right, probabilities, 1 - probabilities)).mean())
    return round(float(_TEMPERATURES[int(np.argmin(losses))]), 4)
