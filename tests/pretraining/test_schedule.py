from __future__ import annotations

import pytest

from spacy_selectra.pretraining.optimizer import Schedule


def test_warm_up_then_linear_decay():
    schedule = Schedule(peak=1.0, max_steps=100, warmup_steps=10)
    rates = [schedule.learning_rate(step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == pytest.approx(0.91)  # warm-up done, 9 of 100 steps decayed
    assert rates[50] == pytest.approx(0.5)
    assert rates[99] == pytest.approx(0.01)
    assert rates[100] == 0.0
    assert max(rates) == rates[9]


def test_warm_restart_starts_anew():
    schedule = Schedule(peak=5e-4, max_steps=300_000, warmup_steps=10_000, restart_step=150_000)
    assert schedule.learning_rate(149_999) == pytest.approx(5e-4 / 150_000)
    assert schedule.learning_rate(150_000) == pytest.approx(5e-4 / 10_000)
    for step in (0, 5_000, 20_000, 149_999):
        again = schedule.learning_rate(step + 150_000)
        assert again == pytest.approx(schedule.learning_rate(step))
    assert schedule.learning_rate(300_000) == 0.0


def test_a_time_budget_decays_to_zero_however_few_steps_were_made():
    schedule = Schedule(peak=1.0, max_steps=1_000_000, warmup_steps=10)
    assert schedule.learning_rate(500, time_share=0.25) == pytest.approx(0.75)
    assert schedule.learning_rate(500, time_share=1.0) == 0.0
    assert schedule.learning_rate(500, time_share=1.5) == 0.0


def test_steps_count_when_they_are_ahead_of_time():
    schedule = Schedule(peak=1.0, max_steps=100)
    assert schedule.learning_rate(90, time_share=0.1) == pytest.approx(0.1)
