"""Weights prepared for inference: the same numbers as without, made once, never stale."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from spacy_selectra.encoder.cpu import attention as cpu_attention
from spacy_selectra.encoder.cpu import inference as prepared
from spacy_selectra.encoder.cpu.linear import (
    OneDnnLinear,
    PlainLinear,
    QuantisedLinear,
    takes_onednn,
    why_not_int8,
)
from spacy_selectra.encoder.electra import SelectraEncoder
from spacy_selectra.encoder.precision import precision
from tests.encoder.conftest import LENGTHS, encode

MODES = [
    "fp32",
    "fast",
    "bf16",
    pytest.param(
        "int8",
        marks=pytest.mark.skipif(why_not_int8() is not None, reason="no int8 products here"),
    ),
]


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
@pytest.mark.parametrize(("mode", "tolerance"), [("fp32", 1e-5), ("fast", 1e-5), ("bf16", 0.05)])
def test_inference_equals_the_network_that_records_gradients(
    mode, tolerance, activation, tiny_config, ids
):
    torch.manual_seed(0)
    encoder = SelectraEncoder(replace(tiny_config, hidden_act=activation)).eval()
    exact = copy.deepcopy(encoder).double()(ids, LENGTHS)
    with precision(mode):
        recorded = encoder(ids, LENGTHS)
    assert recorded.requires_grad
    for result in (recorded.detach(), encode(encoder, ids, mode)):
        assert result.dtype == torch.float32
        torch.testing.assert_close(result.double(), exact, atol=tolerance, rtol=tolerance)


def test_double_precision(encoder, ids):
    exact = encoder.double()(ids, LENGTHS)
    result = encode(encoder, ids, "fp32")
    assert result.dtype == torch.float64
    torch.testing.assert_close(result, exact, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("mode", ["fp32", "fast", "bf16"])
def test_more_rows_than_are_multiplied_at_once(mode, encoder, ids, monkeypatch):
    whole = encode(encoder, ids, mode)
    prepared.forget(encoder)
    monkeypatch.setattr(prepared, "FLOAT_ROWS", 7)
    tolerance = 0.05 if mode == "bf16" else 1e-5
    torch.testing.assert_close(encode(encoder, ids, mode), whole, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("mode", MODES)
def test_prepared_once(mode, encoder, ids):
    first = encode(encoder, ids, mode)
    with (
        patch.object(prepared, "OneDnnLinear") as float_product,
        patch.object(prepared, "QuantisedLinear") as integer_product,
    ):
        assert torch.equal(encode(encoder, ids, mode), first)
    assert not float_product.called
    assert not integer_product.called


def fused_step(encoder: SelectraEncoder, ids: Tensor) -> None:
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=0.05, fused=True)
    encoder(ids, LENGTHS).square().mean().backward()
    optimizer.step()


def step_in_training(encoder: SelectraEncoder, ids: Tensor) -> None:
    encoder.train()
    encoder(ids, LENGTHS).square().mean().backward()
    with torch.no_grad():
        for parameter in encoder.parameters():
            assert parameter.grad is not None
            parameter.data[1:] -= parameter.grad[1:]
    encoder.eval()


def load(encoder: SelectraEncoder, ids: Tensor) -> None:
    encoder.load_state_dict({k: v * 1.3 for k, v in encoder.state_dict().items()})


def write_a_row(encoder: SelectraEncoder, ids: Tensor) -> None:
    with torch.no_grad():
        for layer in encoder.layers:
            layer.get_parameter("intermediate.weight")[5, 0] += 30


def write_unseen(encoder: SelectraEncoder, ids: Tensor) -> None:
    for layer in encoder.layers:
        layer.get_parameter("intermediate.weight").data[5, 0] += 30
    prepared.forget(encoder)


def move(encoder: SelectraEncoder, ids: Tensor) -> None:
    encoder.double()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.mul_(1.3)
    encoder.float()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "change", [fused_step, step_in_training, load, write_a_row, write_unseen, move]
)
def test_other_weights_are_noticed(change: Callable, mode, encoder, ids):
    before = encode(encoder, ids, mode)
    change(encoder, ids)
    after = encode(encoder, ids, mode)
    assert not torch.allclose(before, after, atol=1e-2)
    # nothing was ever prepared for a copy
    assert torch.equal(after, encode(copy.deepcopy(encoder), ids, mode))


def test_modes_do_not_mix(encoder, ids):
    modes = ("fp32", "fast", "bf16")
    expected = {mode: encode(copy.deepcopy(encoder), ids, mode) for mode in modes}
    for mode in ("fast", "bf16", "fp32", "bf16", "fast"):
        assert torch.equal(encode(encoder, ids, mode), expected[mode])


@pytest.mark.parametrize("name", [None, "gelu", "gelu_new", "relu"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_products_of_every_kind_agree(dtype, name):
    torch.manual_seed(0)
    values, weight, bias = torch.randn(33, 16), torch.randn(24, 16), torch.randn(24)
    residual = torch.randn(33, 24)
    exact = PlainLinear(weight.double(), bias.double(), torch.float64)
    expected = exact(values.double(), torch.float64, name)
    tolerance = 0.05 if dtype == torch.bfloat16 else 2e-5
    with precision("fast"):
        kinds = [PlainLinear(weight, bias, dtype)]
        if takes_onednn(dtype):
            kinds.append(OneDnnLinear(weight, bias, dtype))
        for product in kinds:
            found = product(values, torch.float32, name)
            torch.testing.assert_close(found.double(), expected, atol=tolerance, rtol=tolerance)
            kept = residual.clone()
            added = product.add_to(residual, values)
            assert torch.equal(residual, kept)
            torch.testing.assert_close(
                added.double(),
                exact.add_to(residual.double(), values.double()),
                atol=tolerance,
                rtol=tolerance,
            )


@pytest.mark.skipif(why_not_int8() is not None, reason="no int8 products here")
def test_int8_products_agree():
    torch.manual_seed(0)
    values, weight, bias = torch.randn(33, 16), torch.randn(24, 16), torch.randn(24)
    residual = torch.randn(33, 24)
    kept = residual.clone()
    added = QuantisedLinear(weight, bias).add_to(residual, values)
    expected = residual + values @ weight.t() + bias
    assert torch.equal(residual, kept)
    assert (added - expected).norm() < 0.015 * expected.norm()


@pytest.mark.parametrize("mode", MODES)
def test_attention_a_few_sequences_at_a_time(mode, encoder, ids, monkeypatch):
    lengths = [12, 12, 12, 9, 8, 7]  # one group of equal lengths is not enough: some are padded
    with torch.no_grad(), precision(mode):
        whole = encoder(ids, lengths)
        monkeypatch.setattr(cpu_attention, "SCORES_AT_ONCE", 1)
        parts = encoder(ids, lengths)
    torch.testing.assert_close(parts, whole, atol=1e-5, rtol=1e-5)
