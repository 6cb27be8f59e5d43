"""Probability of entities under independent tag scores and the rules of IOB2.

A word's tag scores say nothing of its neighbours; what ties them together is that I follows B or I
of its type (see `text.iob`). So the probability of tags y is that of independent words, given that
no rule is broken, and that of an entity is the sum over all tags in which it is one: the
forward-backward algorithm (Rabiner 1989, "A tutorial on hidden Markov models", section III-A) over
the transitions that are allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spacy_selectra.text.iob import (
    OUTSIDE,
    Stretches,
    best_tags,
    entities_of,
    log_probabilities,
)

# First word, the one after the last, type.
Entity = tuple[int, int, int]


class Reading(NamedTuple):
    """An entity and its probability: first word, the one after the last, type."""

    start: int
    end: int
    kind: int
    probability: float


class EntityProbabilities:
    """Probabilities of the entities of several texts.

    Words that `best_tags` takes for outside without a search are taken for outside here, too,
    which changes no probability by more than one part in a thousand for each such neighbour.

    Args:
        scores: (T, tags) logits, the words of all texts one after the other.
        lengths: words of each text.
        temperature: divides the logits (Guo et al. 2017, section 4.2). The most probable tags
            are the same for every temperature.
    """

    def __init__(
        self, scores: np.ndarray, lengths: Sequence[int], temperature: float = 1.0
    ) -> None:
        scores = scores.astype(np.float64)
        self._lengths = list(lengths)
        self._starts = np.cumsum([0, *lengths])[:-1]
        self._stretches = Stretches(log_probabilities(scores), lengths)
        self._logs = log_probabilities(scores / temperature)
        # per word: log mass of what may precede it, and of what may follow an entity that
        # ends before it, within its stretch
        self._before = np.zeros(len(scores) + 1)
        self._after = np.zeros(len(scores) + 1)
        self._total = np.zeros(len(scores))  # of the whole stretch
        self._last = np.zeros(len(scores), dtype=np.int64)  # the word after it; 0 outside
        if len(self._stretches.starts):
            self._sweep()

    def _sweep(self) -> None:
        starts, sizes = self._stretches.starts, self._stretches.sizes
        count = self._logs.shape[1]
        inside = np.arange(2, count, 2)
        alone = [OUTSIDE, *range(1, count, 2)]  # tags that may follow anything
        prefix = np.zeros((len(starts), sizes[0] + 1))
        forward = np.full((len(starts), count), -np.inf)
        for step in range(sizes[0]):
            active = int(np.searchsorted(-sizes, -step, side="left"))
            here = self._logs[starts[:active] + step].copy()
            goes_on = np.logaddexp(forward[:active, inside - 1], forward[:active, inside])
            here[:, alone] += prefix[:active, step, None]
            here[:, inside] += goes_on
            forward = here
            prefix[:active, step + 1] = np.logaddexp.reduce(here, axis=1)
        suffix = np.zeros((len(starts), sizes[0] + 1))
        backward = np.full((len(starts), count), -np.inf)
        for step in range(sizes[0] - 1, -1, -1):
            active = int(np.searchsorted(-sizes, -step, side="left"))
            # nothing lies behind the last word of a stretch: mass 1, and no I that goes on
            behind, later = suffix[:active, step + 1], backward[:active]
            here = self._logs[starts[:active] + step].copy()
            either = np.logaddexp(behind[:, None], later[:, inside])
            here[:, OUTSIDE] += behind
            here[:, inside - 1] += either
            here[:, inside] += either
            backward[:active] = here
            suffix[:active, step] = np.logaddexp.reduce(here[:, alone], axis=1)
        for row, (start, size) in enumerate(zip(starts.tolist(), sizes.tolist(), strict=True)):
            words = slice(start, start + size)
            self._before[words] = prefix[row, :size]
            self._after[words] = suffix[row, :size]
            self._total[words] = prefix[row, size]
            self._last[words] = start + size

    def of(self, entities: Sequence[Sequence[Entity]]) -> list[np.ndarray]:
        """Probability of each entity of each text, as `entities_of` gives them.

        Returns:
            For each text a (n,) float64 array; 0 for an entity that lies partly in words that are
            taken for outside.
        """
        return [
            np.array([self._probability(int(start) + b, int(start) + e, k) for b, e, k in found])
            for start, found in zip(self._starts, entities, strict=True)
        ]

    def readings(self, least: float, kinds: int) -> list[list[Reading]]:
        """All entities of each text whose probability is `least` or above, by their first word.

        Args:
            least: in (0, 1].
            kinds: number of types.
        """
        bound = np.log(least)
        found: list[list[Reading]] = [[] for _ in self._lengths]
        texts = np.repeat(np.arange(len(self._lengths)), self._lengths)
        for word in np.flatnonzero(self._last).tolist():
            start = int(self._starts[texts[word]])
            for kind in range(kinds):
                mass = self._beginning(word, kind)
                end = word + 1
                # what follows has a mass of at most 1, so a longer entity is never more probable
                while mass >= bound:
                    probability = float(np.exp(mass + self._following(word, end)))
                    if probability >= least:
                        found[texts[word]].append(
                            Reading(word - start, end - start, kind, min(1.0, probability))
                        )
                    if end >= self._last[word]:
                        break
                    mass += self._logs[end, 2 + 2 * kind]
                    end += 1
        return found

    def _probability(self, begin: int, end: int, kind: int) -> float:
        if end > self._last[begin]:
            return 0.0
        mass = (
            self._beginning(begin, kind)
            + self._logs[begin + 1 : end, 2 + 2 * kind].sum()
            + self._following(begin, end)
        )
        return min(1.0, float(np.exp(mass)))

    def _beginning(self, word: int, kind: int) -> float:
        return self._before[word] - self._total[word] + self._logs[word, 1 + 2 * kind]

    def _following(self, begin: int, end: int) -> float:
        return 0.0 if end >= self._last[begin] else float(self._after[end])


# Temperatures that are tried: from four times as sure to a tenth as sure.
_TEMPERATURES = np.geomspace(0.25, 10.0, 149)


def best_temperature(scores: Sequence[np.ndarray], gold: Sequence[Sequence[Entity]]) -> float:
    """The temperature at which the probabilities of the entities found fit best.

    Minimises the negative log-likelihood of what the entities found are, right or wrong (Guo et
    al. 2017, "On calibration of modern neural networks", section 4.2, on entities in place of
    classes). To 2.5%, which no one will see in a probability.

    Args:
        scores: (n, tags) logits of each text.
        gold: its true entities.

    Raises:
        ValueError: no entity is found at all, so there is nothing to fit.
    """
    lengths = [len(part) for part in scores]
    logits = np.concatenate(scores) if lengths else np.zeros((0, 1))
    found = entities_of(best_tags(logits, lengths), lengths)
    right = np.array(
        [entity in true for own, true in zip(found, map(set, gold), strict=True) for entity in own]
    )
    if not len(right):
        raise ValueError("no entity is found in any text")
    losses = []
    for temperature in _TEMPERATURES:
        of_each = EntityProbabilities(logits, lengths, float(temperature)).of(found)
        probabilities = np.clip(np.concatenate(of_each), 1e-6, 1 - 1e-6)
        losses.append(-np.log(np.where(right, probabilities, 1 - probabilities)).mean())
    return round(float(_TEMPERATURES[int(np.argmin(losses))]), 4)
