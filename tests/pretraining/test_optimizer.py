from __future__ import annotations

import pytest
import torch
from torch import nn

from spacy_selectra.pretraining.config import OptimizerSettings
from spacy_selectra.pretraining.optimizer import build_optimizer, orthogonalised


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Embedding(20, 8), nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 3))


def settings(**values: float | bool | str) -> OptimizerSettings:
    return OptimizerSettings.model_validate(
        {"learning_rate": 0.01, "weight_decay": 0.1, "max_grad_norm": 1.0, **values}
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
        optimizer.set_learning_rate(rate)
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


class Layered(nn.Module):
    """Embeddings, two matrices inside layers and a head, named as in the encoder."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embeddings = nn.Embedding(20, 8)
        self.encoder = nn.Module()
        self.encoder.layers = nn.ModuleList([nn.Linear(8, 32), nn.Linear(32, 8)])
        self.head = nn.Linear(8, 3)


def changes(model: nn.Module, method: str) -> dict[str, torch.Tensor]:
    """What one step with random gradients adds to each parameter."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    options = settings(method=method, matrix_learning_rate=0.02, weight_decay=0.0)
    optimizer = build_optimizer(dict(model.named_parameters()), options)
    set_gradients(model, torch.Generator().manual_seed(4))
    optimizer.step()
    return {name: p.detach() - before[name] for name, p in model.named_parameters()}


def test_muon_steps_are_orthogonal_and_as_large_as_adams():
    steps = changes(Layered(), "muon")
    for name in ("encoder.layers.0.weight", "encoder.layers.1.weight"):
        singular = torch.linalg.svdvals(steps[name])
        assert singular.max() / singular.min() < 2.5, name
        # a matrix of n orthonormal rows of length m has root mean square m^-1/2
        assert steps[name].square().mean().sqrt().item() == pytest.approx(0.02 * 0.2, rel=0.25)


def test_muon_leaves_embeddings_heads_and_vectors_to_adam():
    muon, adam = changes(Layered(), "muon"), changes(Layered(), "adam")
    for name, step in muon.items():
        inner = name.endswith("weight") and ".layers." in name
        assert torch.equal(step, adam[name]) != inner, name


def test_muon_follows_the_schedule():
    model = Layered()
    options = settings(method="muon", learning_rate=0.01, matrix_learning_rate=0.04)
    optimizer = build_optimizer(dict(model.named_parameters()), options)
    optimizer.set_learning_rate(0.005)
    rates = [group["lr"] for part in optimizer.parts for group in part.param_groups]
    assert rates == pytest.approx([0.005, 0.005, 0.02])


@pytest.mark.parametrize("shape", [(8, 32), (32, 8), (8, 8)])
def test_orthogonalised_in_bfloat16_equals_torchs_own(shape):
    muon = pytest.importorskip("torch.optim._muon")  # since torch 2.9
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(5))
    expected = [
        muon._zeropower_via_newtonschulz(each, (3.4445, -4.7750, 2.0315), 5, 1e-7).float()
        for each in matrices
    ]
    found = orthogonalised(matrices, torch.bfloat16)
    torch.testing.assert_close(found, torch.stack(expected), rtol=0, atol=0.02)


@pytest.mark.parametrize("shape", [(8, 32), (32, 8)])
def test_orthogonalised_keeps_singular_vectors(shape):
    matrices = torch.randn(2, *shape, generator=torch.Generator().manual_seed(6)).double()
    found = orthogonalised(matrices)
    assert found.dtype == torch.float64
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    inner = left.transpose(1, 2) @ found @ right.transpose(1, 2)
    values = inner.diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(inner, torch.diag_embed(values), rtol=0, atol=1e-12)
    assert values.min() > 0.5
    assert values.max() < 1.3
    torch.testing.assert_close(orthogonalised(torch.zeros(1, *shape)), torch.zeros(1, *shape))


def test_muon_follows_its_formula():
    model, decay = Layered(), 0.1
    name = "encoder.layers.0.weight"
    options = settings(method="muon", matrix_learning_rate=0.02, weight_decay=decay)
    optimizer = build_optimizer(dict(model.named_parameters()), options)
    weight = model.get_parameter(name).detach().double().clone()
    mean, rng = torch.zeros_like(weight), torch.Generator().manual_seed(7)
    for _ in range(5):
        set_gradients(model, rng)
        gradient = model.get_parameter(name).grad
        assert gradient is not None
        optimizer.step()
        mean = 0.95 * mean + 0.05 * gradient.double()
        ahead = 0.95 * mean + 0.05 * gradient.double()
        step = orthogonalised(ahead[None])[0]
        weight = weight * (1 - 0.02 * decay) - 0.02 * 0.2 * 32**0.5 * step
    # in bfloat16 where the processor has it
    torch.testing.assert_close(model.get_parameter(name).double(), weight, rtol=0, atol=2e-3)


@pytest.mark.parametrize(
    "values", [{"bias_correction": True}, {"bias_correction": False}, {"method": "muon"}]
)
def test_state_goes_on_exactly_in_another_optimizer(values):
    straight, resumed = Layered(), Layered()
    options = settings(**values)
    first = build_optimizer(dict(straight.named_parameters()), options)
    rng = torch.Generator().manual_seed(3)
    for _ in range(3):
        set_gradients(straight, rng)
        first.step()
    resumed.load_state_dict(straight.state_dict())
    second = build_optimizer(dict(resumed.named_parameters()), options)
    saved = first.tensors(dict(straight.named_parameters()))
    for name, tensor in second.tensors(dict(resumed.named_parameters())).items():
        tensor.copy_(saved[name])
    state = rng.get_state()
    for model, optimizer in ((straight, first), (resumed, second)):
        rng.set_state(state)
        for _ in range(3):
            set_gradients(model, rng)
            optimizer.step()
    for mine, other in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(mine, other)
