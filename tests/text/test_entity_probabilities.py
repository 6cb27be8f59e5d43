"""Probabilities of entities, against the sum over all tags that keep the rules."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_selectra.text.entity_probabilities import EntityProbabilities
from spacy_selectra.text.iob import Stretches, begin_anew, best_tags, entities_of, tag_count


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


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=4),
    st.sampled_from([0.3, 2.0, 8.0]),
    st.lists(st.integers(0, 15), max_size=2),
    st.integers(0, 2**32 - 1),
)
def test_equal_to_the_sum_over_all_tags(
    lengths: list[int], scale: float, firsts: list[int], seed: int
):
    words = sum(lengths)
    scores = np.random.default_rng(seed).normal(0, scale, (words, tag_count(2)))
    # as float32 logits of a network, some of them of words that no entity goes on into
    scores = begin_anew(
        scores.astype(np.float32),
        np.unique([place for place in firsts if place < words]).astype(int),
    )
    # nothing but what is certain is outside: then all words are searched
    scores[:, 0] = np.minimum(scores[:, 0], np.delete(scores, 0, axis=1).max(axis=1) + 5)
    probabilities = EntityProbabilities(Stretches(scores, lengths))
    found = probabilities.readings(1e-9, kinds=2)
    every: list[list[tuple[int, int, int]]] = []
    start = 0
    for length, readings in zip(lengths, found, strict=True):
        expected = oracle(scores[start : start + length].astype(np.float64)) if length else {}
        got = {(r.start, r.end, r.kind): r.probability for r in readings}
        assert list(got) == sorted(got, key=lambda entity: (entity[0], entity[2], entity[1]))
        assert got == pytest.approx({e: p for e, p in expected.items() if e in got}, rel=1e-6)
        assert all(p < 1.000001e-9 for e, p in expected.items() if e not in got)
        every.append(list(expected))
        start += length
    by_text = [{(r.start, r.end, r.kind): r.probability for r in readings} for readings in found]
    # any entities can be asked for, not only those that are found
    for text, entities, own in zip(by_text, every, probabilities.of(every), strict=True):
        expected = [text.get(entity, 0.0) for entity in entities]
        np.testing.assert_allclose(own, expected, rtol=1e-9, atol=1.000001e-9)
    best = entities_of(best_tags(scores, lengths), lengths)
    for text, entities, own in zip(by_text, best, probabilities.of(best), strict=True):
        np.testing.assert_allclose(own, [text[entity] for entity in entities], rtol=1e-9)


def test_scores_that_leave_no_doubt_and_those_that_contradict_each_other():
    """Probabilities stay finite where the scores' powers are beyond float64."""
    scores = np.full((60, 5), -2000.0, dtype=np.float32)
    scores[:, 2] = 2000.0  # every word says that it goes on with something
    scores[30:, [2, 4]] = -2000.0, 2000.0
    probabilities = EntityProbabilities(Stretches(scores, [60]))
    of_best = probabilities.of(entities_of(best_tags(scores, [60]), [60]))[0]
    assert ((of_best >= 0) & (of_best <= 1)).all()
    with np.errstate(invalid="raise", over="raise"):
        readings = probabilities.readings(0.5, 2)[0]
    assert all(0.5 <= reading.probability <= 1 for reading in readings)


def test_temperature_divides_the_logits():
    scores = np.random.default_rng(0).normal(0, 1, (4, 5))
    for temperature in (0.5, 3.0):
        readings = EntityProbabilities(Stretches(scores, [4]), temperature).readings(1e-12, 2)[0]
        expected = oracle(scores / temperature)
        for reading in readings:
            entity = (reading.start, reading.end, reading.kind)
            assert reading.probability == pytest.approx(expected[entity], rel=1e-6)


def test_words_that_are_certainly_outside_bound_what_is_searched():
    scores = np.zeros((5, 3))
    scores[[0, 4], 0] = 20.0
    scores[2, 1] = 1.0
    probabilities = EntityProbabilities(Stretches(scores, [5]))
    (readings,) = probabilities.readings(1e-6, 1)
    assert {r.start for r in readings} == {1, 2, 3}
    assert max(r.end for r in readings) == 4
    expected = oracle(scores)
    for r in readings:
        assert r.probability == pytest.approx(expected[r.start, r.end, r.kind], rel=1e-6)
    assert probabilities.of([[(0, 1, 0), (3, 5, 0)]])[0].tolist() == [0.0, 0.0]


def test_nothing_to_score():
    assert [
        len(p) for p in EntityProbabilities(Stretches(np.zeros((0, 3)), [0, 0])).of([[], []])
    ] == [0, 0]
    assert EntityProbabilities(Stretches(np.zeros((0, 3)), [0])).readings(0.1, 1) == [[]]
