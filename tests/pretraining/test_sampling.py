from __future__ import annotations

import pytest
import torch

from spacy_selectra.pretraining.generator_loss import sample_rows, score_and_sample


def chi_squared(counts: torch.Tensor, probabilities: torch.Tensor) -> tuple[float, float]:
    """The statistic over cells that expect at least 5, and about its 99.9th percentile."""
    expected = probabilities.double() * counts.sum()
    cells = expected >= 5
    statistic = ((counts - expected)[cells] ** 2 / expected[cells]).sum().item()
    freedom = int(cells.sum()) - 1
    return statistic, freedom + 3.09 * (2 * freedom) ** 0.5 + 6  # Cornish and Fisher's expansion


@pytest.mark.parametrize("columns", [3, 255, 256, 257, 1000])
def test_samples_follow_the_softmax(columns):
    rng = torch.Generator().manual_seed(columns)
    row = torch.randn(columns, generator=rng) * 2
    logits = row.expand(20_000, columns)
    targets = torch.zeros(20_000, dtype=torch.int64)
    counts = torch.zeros(columns, dtype=torch.float64)
    for _ in range(5):
        uniforms = torch.rand(20_000, dtype=torch.float64, generator=rng)
        _, samples = score_and_sample(logits, targets, uniforms)
        counts += torch.bincount(samples, minlength=columns)
    statistic, limit = chi_squared(counts, torch.softmax(row, 0))
    assert statistic < limit


def test_equals_the_inverse_of_the_cumulative_distribution():
    rng = torch.Generator().manual_seed(0)
    # multiples of 1/256 add up exactly in float32
    weights = torch.randint(0, 256, (500, 777), generator=rng).float() / 256
    uniforms = torch.rand(500, dtype=torch.float64, generator=rng)
    samples, totals = sample_rows(weights, uniforms)
    cumulative = weights.double().cumsum(1)
    expected = torch.searchsorted(cumulative, (uniforms * cumulative[:, -1])[:, None], right=True)
    assert torch.equal(samples, expected.squeeze(1))
    assert torch.equal(totals, weights.sum(1))


def test_columns_without_weight_are_never_drawn():
    weights = torch.zeros(4, 600)
    weights[:, 300] = 1e-30
    weights[1, 599] = 1.0
    for value in (0.0, 0.5, 1 - 2**-53):
        samples, _ = sample_rows(weights, torch.full((4,), value, dtype=torch.float64))
        assert set(samples.tolist()) <= {300, 599}
        assert (samples[[0, 2, 3]] == 300).all()


def test_certain_rows_give_their_only_column():
    logits = torch.full((50, 1000), -1e4)
    targets = torch.arange(50) * 19
    logits[torch.arange(50), targets] = 0.0
    uniforms = torch.rand(50, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    loss, samples = score_and_sample(logits, targets, uniforms)
    assert torch.equal(samples, targets)
    assert loss.item() == 0.0


def test_not_a_number_gives_a_valid_column():
    # the trainer finds it in the gradient; the draw must not fail before
    logits = torch.full((2, 300), float("nan"))
    _, samples = score_and_sample(
        logits, torch.zeros(2, dtype=torch.int64), torch.zeros(2, dtype=torch.float64)
    )
    assert ((samples >= 0) & (samples < 300)).all()
