"""The layer written out by hand computes what the layer of modules does, gradients included."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.cpu.dropout import DropoutMasks, apply_mask
from spacy_selectra.encoder.cpu.training import LayerOptions, layer_function
from spacy_selectra.encoder.electra import Layer
from spacy_selectra.encoder.layout import PackedLayout

CONFIG = EncoderConfig(
    vocab_size=10,
    embedding_size=8,
    hidden_size=8,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=12,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
)
LENGTHS = {"equal": [4, 4, 4], "mixed": [5, 2, 3, 4, 1]}


def make_layer(activation: str = "gelu") -> Layer:
    torch.manual_seed(0)
    layer = Layer(replace(CONFIG, hidden_act=activation)).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return layer


def as_modules(layer: Layer, hidden: Tensor, layout: PackedLayout, monkeypatch) -> Tensor:
    """The path of devices other than CPUs."""
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    result = layer(hidden, layout)
    monkeypatch.undo()
    return result


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_equals_the_layer_of_modules(activation, lengths, monkeypatch):
    layer, layout = make_layer(activation), PackedLayout.from_lengths(lengths)
    hidden = torch.randn(sum(lengths), 8, dtype=torch.float64)
    weight = torch.randn_like(hidden)
    results = []
    for compute in (
        lambda values: layer(values, layout),
        lambda values: as_modules(layer, values, layout, monkeypatch),
    ):
        layer.zero_grad()
        values = hidden.clone().requires_grad_()
        output = compute(values)
        (output * weight).sum().backward()
        gradients = [parameter.grad.clone() for parameter in layer.parameters()]
        results.append([output.detach(), values.grad, *gradients])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_gradients_with_dropout_by_finite_differences(lengths):
    layer, layout = make_layer(), PackedLayout.from_lengths(lengths)
    options = LayerOptions(torch.float64, "gelu", 1e-12, 0.3, 0.2)
    hidden = torch.randn(sum(lengths), 8, dtype=torch.float64, requires_grad=True)

    def compute(values: Tensor, *weights: Tensor) -> Tensor:
        torch.manual_seed(5)  # the same masks every time
        return layer_function(values, layout, 2, options, list(weights))

    inputs = (hidden, *layer.weights())
    assert torch.autograd.gradcheck(compute, inputs, eps=1e-6, atol=1e-5)


def test_dropout_is_applied_in_training_only():
    layer = Layer(replace(CONFIG, hidden_dropout_prob=0.5, attention_probs_dropout_prob=0.5))
    layout = PackedLayout.from_lengths([5, 3])
    hidden = torch.randn(8, 8)
    first, second = layer(hidden, layout), layer(hidden, layout)
    assert not torch.equal(first, second)
    layer.eval()
    assert torch.equal(layer(hidden, layout), layer(hidden, layout))


def test_mixed_precision_keeps_the_residual_in_float32():
    layer, layout = make_layer().float(), PackedLayout.from_lengths([6, 6])
    hidden = torch.randn(12, 8, requires_grad=True)
    expected = layer(hidden, layout)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = layer(hidden, layout)
    assert result.dtype == torch.float32
    difference = (result - expected).abs().max()
    assert 0 < difference < 0.1
    result.sum().backward()
    assert hidden.grad is not None
    assert hidden.grad.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_masks_drop_the_right_share_of_numbers_of_any_type(dtype):
    torch.manual_seed(1)
    masks = DropoutMasks({0.1: 200_000})
    values = torch.full((1000, 100), 2.0, dtype=dtype)
    mask = masks.take(0.1, values.shape)
    scale = masks.scale(0.1)
    result = apply_mask(values, mask, scale, copy=True)
    dropped = (result == 0).double().mean().item()
    assert abs(dropped - 0.1) < 5 * (0.09 / 100_000) ** 0.5
    assert torch.equal(result[result != 0].unique(), torch.tensor([2.0], dtype=dtype) * scale)
    other = apply_mask(values, masks.take(0.1, values.shape), scale)
    assert other.data_ptr() == values.data_ptr()
    assert not torch.equal(result, other)
