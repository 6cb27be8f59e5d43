"""Entities as tags and back, and the loss of tags."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spacy_selectra.text.iob import (
    MISSING,
    OUTSIDE,
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


@given(st.lists(st.lists(st.integers(0, tag_count(2) - 1), max_size=8), max_size=5))
def test_entities_of_any_tags(texts):
    tags = np.array([tag for text in texts for tag in text], dtype=np.int64)
    found = entities_of(tags, [len(text) for text in texts])
    assert found == [conlleval(text) for text in texts]


@given(st.lists(st.lists(st.integers(0, tag_count(3) - 1), max_size=8), max_size=5))
def test_names_and_back(texts):
    """Tags that begin and go on with entities, named in BILUO, are the same again."""
    for text in texts:
        names = ["O"] * len(text)
        tags = [OUTSIDE] * len(text)
        for begin, end, kind in conlleval(text):
            actions = "U" if end - begin == 1 else "B" + "I" * (end - begin - 2) + "L"
            names[begin:end] = [f"{action}-{TYPES[kind]}" for action in actions]
            tags[begin:end] = [1 + 2 * kind, *[2 + 2 * kind] * (end - begin - 1)]
        assert tags_of(names, TYPES).tolist() == tags
        assert entities_of(np.array(tags, dtype=np.int64), [len(tags)]) == [conlleval(text)]


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


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=4),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 0.3, 0.7]),
)
def test_best_tags_are_the_best_allowed_ones(lengths, seed, share):
    rng = np.random.default_rng(seed)
    scores = rng.normal(scale=2, size=(sum(lengths), tag_count(2))).astype(np.float32)
    scores[rng.random(len(scores)) < share, OUTSIDE] += 20  # certainly outside
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
