"""Activation functions at the end of a product: the same numbers, wherever they are computed."""

from __future__ import annotations

import pytest
import torch

from spacy_selectra.encoder.activated import activated, linear_activated
from spacy_selectra.encoder.precision import precision


@pytest.mark.parametrize("mode", ["fp32", "fast"])
@pytest.mark.parametrize("name", ["gelu", "gelu_new", "relu"])
def test_in_single_precision(name: str, mode: str):
    torch.manual_seed(0)
    values, weight, bias = torch.randn(33, 16), torch.randn(24, 16), torch.randn(24)
    expected = activated(values.double() @ weight.double().t() + bias.double(), name)
    with torch.no_grad(), precision(mode):
        found = linear_activated(values, weight, bias, name)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["gelu", "gelu_new", "relu"])
def test_in_half_precision(name: str):
    torch.manual_seed(0)
    values, weight, bias = (torch.randn(*shape).bfloat16() for shape in ((33, 16), (24, 16), (24,)))
    expected = activated(values.double() @ weight.double().t() + bias.double(), name)
    found = linear_activated(values, weight, bias, name)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), expected, atol=0.02, rtol=0.01)


def test_in_double_precision():
    values, weight, bias = (torch.randn(*shape).double() for shape in ((5, 4), (3, 4), (3,)))
    expected = activated(torch.addmm(bias, values, weight.t()), "gelu")
    torch.testing.assert_close(linear_activated(values, weight, bias, "gelu"), expected)
