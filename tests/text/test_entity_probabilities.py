"""Probabilities of entities, against the sum over all tags that keep the rules."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_selectra.text.entity_probabilities import EntityProbabilities
from spacy_selectra.text.iob import best_tags, entities_of, tag_count


def allowed(tags: tuple[int, ...]) -> bool:
    """Whether every I follows B or I of its type."""
    before = (0, *tags)
    return all(
        tag == 0 or tag % 2 == 1 or last in (tag, tag - 1)
        for last, tag in zip(before, tags, strict=False)
    )


def oracle(scores: np.ndarray) -> dict[tuple[int, int, int], float]:
    """Probability of every entity of one text, by enumeration."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    total, masses = 0.0, {}
    for tags in product(range(scores.shape[1]), repeat=len(scores)):
        if not allowed(tags):
            continue
        mass = float(np.prod(powers[np.arange(len(tags)), list(tags)]))
        total += mass
        for entity in entities_of(np.array(tags), [len(tags)])[0]:
            masses[entity] = masses.get(entity, 0.0) + mass
    return {entity: mass / total for entity, mass in masses.items()}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_equal_to_the_sum_over_all_tags(lengths: list[int], seed: int):
    scores = np.random.default_rng(seed).normal(0, 2, (sum(lengths), tag_count(2)))
    probabilities = EntityProbabilities(scores, lengths)
    found = probabilities.readings(1e-9, kinds=2)
    start = 0
    for length, readings in zip(lengths, found, strict=True):
        expected = oracle(scores[start : start + length]) if length else {}
        got = {(r.start, r.end, r.kind): r.probability for r in readings}
        assert got == pytest.approx({e: p for e, p in expected.items() if e in got}, rel=1e-6)
        assert all(p < 1e-9 for e, p in expected.items() if e not in got)
        start += length
    best = entities_of(best_tags(scores, lengths), lengths)
    by_text = [{(r.start, r.end, r.kind): r.probability for r in readings} for readings in found]
    for text, entities, own in zip(by_text, best, probabilities.of(best), strict=True):
        np.testing.assert_allclose(own, [text[entity] for entity in entities], rtol=1e-9)


def test_temperature_divides_the_logits():
    scores = np.random.default_rng(0).normal(0, 1, (4, 5))
    for temperature in (0.5, 3.0):
        readings = EntityProbabilities(scores, [4], temperature).readings(1e-12, 2)[0]
        expected = oracle(scores / temperature)
        for reading in readings:
            entity = (reading.start, reading.end, reading.kind)
            assert reading.probability == pytest.approx(expected[entity], rel=1e-6)


def test_words_that_are_certainly_outside_bound_what_is_searched():
    scores = np.zeros((5, 3))
    scores[[0, 4], 0] = 20.0
    scores[2, 1] = 1.0
    probabilities = EntityProbabilities(scores, [5])
    (readings,) = probabilities.readings(1e-6, 1)
    assert {r.start for r in readings} == {1, 2, 3}
    assert max(r.end for r in readings) == 4
    expected = oracle(scores)
    for r in readings:
        assert r.probability == pytest.approx(expected[r.start, r.end, r.kind], rel=1e-6)
    assert probabilities.of([[(0, 1, 0), (3, 5, 0)]])[0].tolist() == [0.0, 0.0]


def test_nothing_to_score():
    assert [len(p) for p in EntityProbabilities(np.zeros((0, 3)), [0, 0]).of([[], []])] == [0, 0]
    assert EntityProbabilities(np.zeros((0, 3)), [0]).readings(0.1, 1) == [[]]
