"""Dropout from random bits: right rate, right mean, matching gradient, repeatable."""

from __future__ import annotations

import pytest
import torch

from spacy_selectra.encoder.cpu.dropout import dropout
from spacy_selectra.encoder.electra import Dropout


@pytest.mark.parametrize("probability", [0.1, 0.5])
def test_rate_and_mean(probability: float):
    torch.manual_seed(0)
    count = 1_000_003  # not a multiple of four
    result = dropout(torch.ones(count), probability)
    dropped = (result == 0).double().mean().item()
    # five standard deviations of a binomial share
    assert abs(dropped - probability) < 5 * (probability * (1 - probability) / count) ** 0.5
    assert abs(result.double().mean().item() - 1) < 0.005
    assert len(result.unique()) == 2


def test_neighbouring_elements_are_independent():
    torch.manual_seed(1)
    kept = (dropout(torch.ones(400_000), 0.5) > 0).double()
    for lag in (1, 2, 3, 4):
        correlation = torch.corrcoef(torch.stack([kept[:-lag], kept[lag:]]))[0, 1]
        assert abs(correlation) < 0.01


def test_gradient_is_the_mask():
    torch.manual_seed(2)
    values = torch.ones(1000, requires_grad=True)
    result = dropout(values, 0.3)
    result.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad, result.detach())


def test_repeatable_and_off_outside_training():
    module = Dropout(0.2)
    values = torch.randn(50)
    torch.manual_seed(3)
    first = module(values)
    torch.manual_seed(3)
    assert torch.equal(first, module(values))
    assert module.eval()(values) is values
