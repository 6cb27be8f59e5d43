"""int8: close to float32, really in integers, never stale, and gone where there are none."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from spacy_selectra.encoder import precision as precisions
from spacy_selectra.encoder.cpu import inference as prepared
from spacy_selectra.encoder.cpu import linear as int8
from spacy_selectra.encoder.cpu.linear import QuantisedLinear, quantised
from spacy_selectra.encoder.electra import SelectraEncoder
from spacy_selectra.encoder.precision import precision
from tests.encoder.conftest import LENGTHS, encode

needs_int8 = pytest.mark.skipif(
    int8.why_not_int8() is not None, reason="no int8 products on this processor"
)


def test_codes_and_scale_give_the_values_back():
    values = torch.randn(20, 8) * 3
    codes, scale = quantised(values)
    assert codes.dtype == torch.uint8
    assert ((codes.float() - 128) * scale - values).abs().max() <= 0.501 * scale


@needs_int8
def test_product_is_within_the_rounding_of_both_factors():
    torch.manual_seed(0)
    values, weight, bias = torch.randn(50, 64), torch.randn(24, 64), torch.randn(24)
    exact = values @ weight.t() + bias
    result = QuantisedLinear(weight, bias)(values)
    assert 0 < (result - exact).norm() < 0.015 * exact.norm()


@needs_int8
def test_zeros_and_large_numbers():
    linear = QuantisedLinear(torch.zeros(4, 8), torch.arange(4.0))
    for values in (torch.zeros(3, 8), torch.full((3, 8), 1e30)):
        assert torch.equal(linear(values), torch.arange(4.0).expand(3, 4))


@needs_int8
@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
def test_vectors_are_close_to_those_of_float32(activation, tiny_config, ids):
    torch.manual_seed(0)
    encoder = SelectraEncoder(replace(tiny_config, hidden_act=activation)).eval()
    exact, result = encode(encoder, ids, "fp32"), encode(encoder, ids, "int8")
    assert result.dtype == torch.float32
    assert torch.cosine_similarity(result, exact, dim=1).min() > 0.99
    assert not torch.equal(result, encode(encoder, ids, "auto"))


@needs_int8
def test_more_rows_than_are_multiplied_at_once(encoder, ids, monkeypatch):
    exact = encode(encoder, ids, "fp32")
    monkeypatch.setattr(prepared, "INT8_ROWS", 7)
    assert torch.cosine_similarity(encode(encoder, ids, "int8"), exact, dim=1).min() > 0.99


@needs_int8
def test_float_weights_stay(encoder, ids):
    before = copy.deepcopy(encoder.state_dict())
    encode(encoder, ids, "int8")
    after = encoder.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_training_is_in_float32(encoder, ids):
    with precision("fast"):
        expected = encoder(ids, LENGTHS)
    with precision("int8"):
        result = encoder(ids, LENGTHS)
    assert result.requires_grad
    assert torch.equal(result, expected)


def test_nothing_stays_switched(encoder, ids):
    exact = encode(encoder, ids, "fp32")
    encode(encoder, ids, "int8")
    assert torch.equal(encode(encoder, ids, "fp32"), exact)


def test_without_such_products_it_is_fast_with_one_warning(encoder, ids, monkeypatch):
    expected = encode(encoder, ids, "fast")
    monkeypatch.setattr(precisions, "why_not_int8", lambda: "this processor is too old")
    precisions._announce_no_int8.cache_clear()
    with pytest.warns(UserWarning, match="this processor is too old: computing as 'fast'") as said:
        results = [encode(encoder, ids, "int8") for _ in range(2)]
    assert len(said) == 1
    assert all(torch.equal(result, expected) for result in results)


def test_other_devices_are_said_to_compute_as_fast():
    precisions._announce_no_int8.cache_clear()
    with (
        pytest.warns(UserWarning, match="the encoder is on 'meta'"),
        torch.no_grad(),
        precision("int8", "meta"),
    ):
        assert not torch.is_autocast_enabled("cpu")
