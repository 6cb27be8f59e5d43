"""Entities as tags and back, and the loss of tags."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from spacy_selectra.text.iob import (
    MISSING,
    best_tags,
    entities_of,
    tag_count,
    tag_loss,
    tags_of,
)

TYPES = ["LOC", "ORG", "PER"]


def test_names_to_tags():
    names = ["O", "U-LOC", "B-PER", "I-PER", "L-PER", None, "-", "B-XXX", "B-ORG", "I-ORG"]
    expected = [0, 1, 5, 6, 6, MISSING, MISSING, MISSING, 3, 4]
    assert tags_of(names, TYPES).tolist() == expected


@pytest.mark.parametrize(
    ("tags", "lengths", "expected"),
    [
        ([], [], []),
        ([], [0, 0], [[], []]),
        ([0, 0], [2], [[]]),
        ([1, 2, 2], [3], [[(0, 3, 0)]]),
        ([1, 1], [2], [[(0, 1, 0), (1, 2, 0)]]),
        ([2, 2, 0, 4], [4], [[(0, 2, 0), (3, 4, 1)]]),
        ([1, 4, 2], [3], [[(0, 1, 0), (1, 2, 1), (2, 3, 0)]]),
        ([1, 2, 2, 2], [2, 0, 2], [[(0, 2, 0)], [], [(0, 2, 0)]]),
    ],
)
def test_entities(tags, lengths, expected):
    assert entities_of(np.array(tags, dtype=np.int64), lengths) == expected


def conlleval(tags: list[int]) -> list[tuple[int, int, int]]:
    """The same rule, word by word."""
    found: list[tuple[int, int, int]] = []
    for place, tag in enumerate(tags):
        if tag == 0:
            continue
        kind, goes_on = (tag - 1) // 2, tag % 2 == 0
        if goes_on and found and found[-1][1] == place and found[-1][2] == kind:
            found[-1] = (found[-1][0], place + 1, kind)
        else:
            found.append((place, place + 1, kind))
    return found


def test_entities_of_any_tags():
    rng = np.random.default_rng(0)
    for _ in range(300):
        texts = [
            rng.integers(0, tag_count(2), size=rng.integers(0, 8)) for _ in range(rng.integers(5))
        ]
        tags = np.concatenate([np.zeros(0, dtype=np.int64), *texts])
        found = entities_of(tags, [len(text) for text in texts])
        assert found == [conlleval(text.tolist()) for text in texts]


def brute_force(scores: np.ndarray) -> list[int]:
    """The best of all allowed sequences of tags."""
    tags = range(scores.shape[1])
    allowed = [
        found
        for found in product(tags, repeat=len(scores))
        if all(
            tag == 0 or tag % 2 or before in (tag - 1, tag)
            for before, tag in zip((0, *found), found, strict=False)
        )
    ]
    best = max(
        allowed, key=lambda found: sum(scores[place, tag] for place, tag in enumerate(found))
    )
    return list(best)


def test_best_tags_are_the_best_allowed_ones():
    rng = np.random.default_rng(0)
    for trial in range(30):
        lengths = rng.integers(0, 5, size=4).tolist()
        scores = rng.normal(scale=2, size=(sum(lengths), tag_count(2))).astype(np.float32)
        scores[rng.random(len(scores)) < 0.3, 0] += 20 * (trial % 2)  # certainly outside
        ends = np.cumsum(lengths)
        parts = [scores[end - size : end] for end, size in zip(ends, lengths, strict=True)]
        expected = [tag for part in parts for tag in brute_force(part)]
        assert best_tags(scores, lengths).tolist() == expected


def test_best_tags_of_nothing():
    assert best_tags(np.zeros((0, 3), dtype=np.float32), [0, 0]).tolist() == []


def test_loss_is_that_of_torch():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(9, tag_count(3))).astype(np.float32)
    tags = np.array([0, 1, 2, MISSING, 6, 5, 0, MISSING, 3])
    loss, gradient = tag_loss(scores, tags)
    tensor = torch.tensor(scores, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(tensor, torch.tensor(tags), ignore_index=MISSING)
    expected.backward()
    assert loss == pytest.approx(expected.item(), abs=1e-6)
    np.testing.assert_allclose(gradient, tensor.grad, atol=1e-7)


def test_loss_without_annotations_is_nothing():
    loss, gradient = tag_loss(np.ones((2, 3), dtype=np.float32), np.array([MISSING, MISSING]))
    assert loss == 0
    assert not gradient.any()
