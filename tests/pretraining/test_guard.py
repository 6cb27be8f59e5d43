from __future__ import annotations

import math

import pytest
import torch

from spacy_selectra.pretraining.step import Guard

CPU = torch.device("cpu")


def judge(guard: Guard, loss: float, norm: float = 1.0) -> bool:
    return bool(guard.judge(torch.tensor(loss), torch.tensor(norm)))


@pytest.mark.parametrize(
    ("loss", "norm"), [(math.nan, 1.0), (1.0, math.inf), (math.inf, 1.0), (1.0, math.nan)]
)
def test_what_is_not_finite_is_bad_at_once(loss, norm):
    guard = Guard(None, CPU)
    assert judge(guard, loss, norm)
    assert not judge(guard, 1.0)


def test_a_loss_far_above_the_best_is_bad_and_does_not_count():
    guard = Guard(3.0, CPU)
    assert not any(judge(guard, 10.0) for _ in range(60))
    assert judge(guard, 31.0)
    before = guard.state().clone()
    assert all(judge(guard, 1e6) for _ in range(200))
    assert torch.equal(guard.state(), before)
    assert not judge(guard, 29.0)


def test_nothing_is_compared_before_there_is_a_mean():
    guard = Guard(2.0, CPU)
    assert not judge(guard, 1.0)
    assert not any(judge(guard, 100.0) for _ in range(20))


def test_a_slow_climb_is_measured_against_the_lowest_mean():
    guard = Guard(2.0, CPU)
    for _ in range(100):
        judge(guard, 5.0)
    losses = [5.0 * 1.01**step for step in range(100)]
    verdicts = [judge(guard, loss) for loss in losses]
    first = verdicts.index(True)
    assert losses[first - 1] < 10.2 < losses[first] * 1.03


def test_state_goes_on():
    one, other = Guard(3.0, CPU), Guard(3.0, CPU)
    for step in range(80):
        judge(one, 8.0 + math.sin(step))
    other.load(one.state())
    assert judge(other, 40.0) == judge(one, 40.0) is True
    judge(one, 7.0)
    judge(other, 7.0)
    assert torch.equal(one.state(), other.state())
