"""Entities as tags and back, and the loss of tags."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spacy_selectra.finetuning.entity_tags import (
    MISSING,
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
    assert loss == 0 and not gradient.any()
