from __future__ import annotations

import pytest
import torch
from torch import nn

from spacy_selectra.pretraining.optimizer import (
    build_optimizer,
    optimizer_tensors,
    set_learning_rate,
)
from spacy_selectra.pretraining.settings import OptimizerSettings


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Embedding(20, 8), nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 3))


def settings(**values: float | bool) -> OptimizerSettings:
    return OptimizerSettings.model_validate(
        {"learning_rate": 0.01, "weight_decay": 0.1, "max_gradient_norm": 1.0, **values}
    )


def set_gradients(model: nn.Module, rng: torch.Generator) -> None:
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=rng)


def test_with_bias_correction_equals_torch_adamw():
    ours, theirs = network(), network()
    optimizer = build_optimizer(dict(ours.named_parameters()), settings(bias_correction=True))
    decayed = [p for p in theirs.parameters() if p.ndim > 1]
    plain = [p for p in theirs.parameters() if p.ndim == 1]
    reference = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}],
        lr=0.01,
        eps=1e-6,
        fused=False,
        foreach=False,
    )
    first, second = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    for _ in range(20):
        set_gradients(ours, first)
        set_gradients(theirs, second)
        optimizer.step()
        reference.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-7)


def test_without_bias_correction_equals_the_original_formula():
    model = network()
    optimizer = build_optimizer(dict(model.named_parameters()), settings())
    weights = [p.detach().double().clone() for p in model.parameters()]
    mean = [torch.zeros_like(w) for w in weights]
    square = [torch.zeros_like(w) for w in weights]
    rng = torch.Generator().manual_seed(2)
    for step in range(30):
        rate = 0.01 / (step + 1)
        set_gradients(model, rng)
        set_learning_rate(optimizer, rate)
        optimizer.step()
        for index, parameter in enumerate(model.parameters()):
            assert parameter.grad is not None
            gradient = parameter.grad.double()
            mean[index] = 0.9 * mean[index] + 0.1 * gradient
            square[index] = 0.999 * square[index] + 0.001 * gradient**2
            update = mean[index] / (square[index].sqrt() + 1e-6)
            if parameter.ndim > 1:
                update = update + 0.1 * weights[index]
            weights[index] = weights[index] - rate * update
    for parameter, expected in zip(model.parameters(), weights, strict=True):
        torch.testing.assert_close(parameter.double(), expected, rtol=1e-5, atol=1e-6)


def test_no_decay_on_vectors():
    model = network()
    optimizer = build_optimizer(dict(model.named_parameters()), settings(weight_decay=0.5))
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer.step()
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:
            assert torch.equal(parameter, before[name])
        else:
            torch.testing.assert_close(parameter, before[name] * (1 - 0.01 * 0.5))


@pytest.mark.parametrize("bias_correction", [True, False])
def test_state_goes_on_exactly_in_another_optimizer(bias_correction):
    straight, resumed = network(), network()
    options = settings(bias_correction=bias_correction)
    first = build_optimizer(dict(straight.named_parameters()), options)
    rng = torch.Generator().manual_seed(3)
    for _ in range(3):
        set_gradients(straight, rng)
        first.step()
    resumed.load_state_dict(straight.state_dict())
    second = build_optimizer(dict(resumed.named_parameters()), options)
    saved = optimizer_tensors(first, dict(straight.named_parameters()))
    for name, tensor in optimizer_tensors(second, dict(resumed.named_parameters())).items():
        tensor.copy_(saved[name])
    state = rng.get_state()
    for model, optimizer in ((straight, first), (resumed, second)):
        rng.set_state(state)
        for _ in range(3):
            set_gradients(model, rng)
            optimizer.step()
    for mine, other in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(mine, other)
