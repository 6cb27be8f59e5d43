"""LayerwiseAdam: rates by depth, one norm for all gradients, no decay on vectors."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from spacy import registry
from thinc.api import Linear, get_current_ops, warmup_linear

from spacy_selectra.components.optimizer import LayerwiseAdam, layerwise_adam
from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.electra import SelectraEncoder
from spacy_selectra.errors import SelectraError


@pytest.fixture
def encoder(tiny_config: EncoderConfig) -> SelectraEncoder:
    torch.manual_seed(0)
    return SelectraEncoder(tiny_config)


def fill_gradients(encoder: torch.nn.Module, value: float = 1.0) -> None:
    generator = torch.Generator().manual_seed(1)
    for parameter in encoder.parameters():
        parameter.grad = value * torch.randn(parameter.shape, generator=generator)


def steps(before: dict[str, torch.Tensor], encoder: torch.nn.Module) -> dict[str, float]:
    """Largest change of each parameter."""
    return {
        name: float((before[name] - parameter).detach().abs().max())
        for name, parameter in encoder.named_parameters()
    }


def weights(encoder: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in encoder.named_parameters()}


def test_rate_falls_by_one_factor_a_layer(encoder):
    optimizer = layerwise_adam(0.1, layer_decay=0.5, weight_decay=0.0, grad_clip=0.0)
    before = weights(encoder)
    fill_gradients(encoder)
    optimizer.step_module(0, encoder)
    # Adam's first step is the rate itself, whatever the gradient
    for name, change in steps(before, encoder).items():
        if name.startswith("layers.1."):  # the top one of two
            expected = 0.1 * 0.5
        elif name.startswith("layers.0."):
            expected = 0.1 * 0.5**2
        else:
            expected = 0.1 * 0.5**3
        assert change == pytest.approx(expected, rel=1e-3), name


def test_matches_torch_adamw(encoder):
    reference = copy.deepcopy(encoder)
    optimizer = layerwise_adam(0.01, layer_decay=1.0, weight_decay=0.1, grad_clip=1.0)
    matrices = [p for p in reference.parameters() if p.ndim > 1]
    vectors = [p for p in reference.parameters() if p.ndim == 1]
    torch_adam = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
        lr=0.01,
        eps=1e-6,
    )
    for step in range(3):
        for model in (encoder, reference):
            fill_gradients(model, 1.0 + step)
        torch.nn.utils.clip_grad_norm_(reference.parameters(), 1.0)
        torch_adam.step()
        optimizer.step_module(7, encoder)
    for mine, theirs in zip(encoder.parameters(), reference.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-6)
        assert mine.grad is None


def test_clipping_is_by_the_norm_of_all_gradients(encoder):
    fill_gradients(encoder, 1000.0)
    shares = {name: p.grad.clone() for name, p in encoder.named_parameters() if p.grad is not None}
    optimizer = layerwise_adam(1e-3, grad_clip=1.0)
    seen: dict[str, torch.Tensor] = {}
    adam = optimizer._adam_of(0, encoder)
    adam.register_step_pre_hook(
        lambda *_: seen.update((n, p.grad.clone()) for n, p in encoder.named_parameters())
    )
    optimizer.step_module(0, encoder)
    norm = torch.cat([g.flatten() for g in seen.values()]).norm()
    assert float(norm) == pytest.approx(1.0, rel=1e-3)
    factor = seen["layers.0.qkv.weight"] / shares["layers.0.qkv.weight"]
    other = seen["embeddings.layer_norm.bias"] / shares["embeddings.layer_norm.bias"]
    assert torch.allclose(factor.mean(), other.mean(), rtol=1e-3)


def test_vectors_are_not_decayed(encoder):
    optimizer = layerwise_adam(0.1, layer_decay=1.0, weight_decay=0.5)
    before = weights(encoder)
    for parameter in encoder.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step_module(0, encoder)
    for name, parameter in encoder.named_parameters():
        factor = 1.0 if parameter.ndim == 1 else 1.0 - 0.1 * 0.5
        assert torch.allclose(parameter, before[name] * factor), name


def test_overflow_is_skipped(encoder):
    optimizer = layerwise_adam(0.1)
    before = weights(encoder)
    fill_gradients(encoder)
    next(encoder.parameters()).grad[0] = float("inf")
    optimizer.step_module(0, encoder)
    assert not any(steps(before, encoder).values())
    assert all(parameter.grad is None for parameter in encoder.parameters())


def test_head_has_its_own_rate_and_schedule():
    optimizer = layerwise_adam(
        0.001, head_learn_rate=warmup_linear(1.0, 2, 10), weight_decay=0.5, grad_clip=0.0
    )
    ops = get_current_ops()
    assert optimizer.head_learn_rate == 0.0
    optimizer.step_schedules()
    assert (optimizer.learn_rate, optimizer.head_learn_rate) == (0.001, 0.5)
    matrix, vector = ops.alloc2f(2, 2) + 1.0, ops.alloc1f(2) + 1.0
    decayed, _ = optimizer((1, "W"), matrix.copy(), matrix * 0 + 1.0)
    plain, _ = optimizer((1, "b"), vector.copy(), vector * 0 + 1.0)
    assert np.allclose(plain, 0.5, atol=1e-4)
    assert np.allclose(decayed, 0.5 * (1 - 0.5 * 0.5), atol=1e-4)
    assert (optimizer.learn_rate, optimizer.L2) == (0.001, 0.5)


def test_thinc_layers_train():
    layer = Linear(3, 2).initialize()
    optimizer = layerwise_adam(0.1)
    X = layer.ops.asarray2f([[1.0, 2.0]])
    first = 0.0
    for _ in range(20):
        Y, backprop = layer.begin_update(X)
        first = first or abs(Y - 1.0).sum()
        backprop(Y - 1.0)
        layer.finish_update(optimizer)
    assert abs(layer.predict(X) - 1.0).sum() < 0.3 * first


def test_state_follows_replaced_weights_and_pickles(encoder):
    optimizer = layerwise_adam(0.1)
    fill_gradients(encoder)
    optimizer.step_module(0, encoder)
    again = pickle.loads(pickle.dumps(optimizer))
    assert (again.layer_decay, again.learn_rate) == (optimizer.layer_decay, 0.1)
    other = copy.deepcopy(encoder)
    before = weights(other)
    fill_gradients(other)
    optimizer.step_module(0, other)
    assert max(steps(before, other).values()) > 0


def test_registered():
    config = {
        "optimizer": {
            "@optimizers": "spacy-selectra.LayerwiseAdam.v1",
            "layer_decay": 0.9,
            "learn_rate": {
                "@schedules": "warmup_linear.v1",
                "initial_rate": 0.1,
                "warmup_steps": 10,
                "total_steps": 100,
            },
        }
    }
    optimizer = registry.resolve(config)["optimizer"]
    assert isinstance(optimizer, LayerwiseAdam)
    optimizer.step_schedules()
    assert optimizer.learn_rate == pytest.approx(0.01)
    with pytest.raises(Exception, match="layr_decay"):
        registry.resolve({"optimizer": {**config["optimizer"], "layr_decay": 1.0}})


@pytest.mark.parametrize(
    "settings", [{"layer_decay": 0.0}, {"layer_decay": 2.0}, {"grad_clip": -1.0}]
)
def test_out_of_range(settings):
    with pytest.raises(SelectraError):
        layerwise_adam(0.1, **settings)
