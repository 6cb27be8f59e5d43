"""Weights in half precision: rounded once, stored without loss."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from spacy_selectra.encoder.checkpoint import (
    CONFIG_FILE,
    SHARED_WITH,
    load_discriminator,
    save_model,
)
from spacy_selectra.encoder.heads import Discriminator
from spacy_selectra.encoder.serialization import exact_type, round_to_half
from spacy_selectra.errors import SelectraError
from spacy_selectra.util.files import read_json, write_json


def test_rounding_is_to_the_nearest(tiny_config):
    model = Discriminator(tiny_config)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    round_to_half(model)
    for name, weight in model.named_parameters():
        assert weight.dtype == torch.float32
        torch.testing.assert_close(weight, before[name], rtol=2**-11, atol=2**-25)


def test_fewer_bits_of_the_fraction():
    layer = nn.Linear(200, 200)
    before = layer.weight.detach().clone()
    layer.weight.data[0, :2] = torch.tensor([1.999, -1.999])  # the next number has another exponent
    round_to_half(layer, bits=7)
    weight = layer.weight.detach()
    assert weight[0, :2].tolist() == [2.0, -2.0]
    torch.testing.assert_close(weight[1:], before[1:], rtol=2**-7.8, atol=2**-21)
    assert exact_type([weight]) == torch.float16
    low = weight.half().view(torch.int16) & 0b111
    assert not low.any()
    errors = (weight - before)[1:]
    assert errors.mean().abs() < errors.std() / 20  # to the nearest, not towards zero
    with pytest.raises(SelectraError, match="too large"):
        round_to_half(nn.Linear(1, 1).requires_grad_(False).apply(_huge), bits=7)


def _huge(layer: nn.Module) -> None:
    layer.weight.fill_(65_500.0)


def test_stored_in_half_only_where_nothing_is_lost(tiny_config, tmp_path: Path):
    model = Discriminator(tiny_config)
    save_model(model, tmp_path / "full")
    round_to_half(model)
    save_model(model, tmp_path / "half")
    files = {kind: tmp_path / kind / "model.safetensors" for kind in ("full", "half")}
    assert {t.dtype for t in load_file(files["full"]).values()} == {torch.float32}
    assert {t.dtype for t in load_file(files["half"]).values()} == {torch.float16}
    assert read_json(tmp_path / "half" / CONFIG_FILE)["torch_dtype"] == "float16"
    again = load_discriminator(tmp_path / "half").state_dict()
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, again[name]), name


def test_what_half_precision_cannot_hold():
    layer = nn.Linear(2, 2)
    layer.weight.data[0, 0] = 70_000.0
    before = layer.weight.clone()
    with pytest.raises(
        SelectraError, match="'weight' has weights that are too large for half precision"
    ):
        round_to_half(layer)
    assert torch.equal(layer.weight, before)


def test_exact_type():
    assert exact_type([torch.tensor([1.0, 0.5])]) == torch.float16
    assert exact_type([torch.tensor([1.0, 0.5]), torch.tensor([0.1])]) is None
    assert exact_type([torch.tensor([1e6])]) is None
    assert exact_type([torch.tensor([float("nan")])]) is None
    assert exact_type([torch.arange(3)]) is None


@pytest.mark.parametrize("other", ["../elsewhere", "/etc", "a/b", ".."])
def test_weights_are_shared_with_neighbours_only(other: str, tiny_config, tmp_path: Path):
    save_model(Discriminator(tiny_config), tmp_path / "d")
    config = read_json(tmp_path / "d" / CONFIG_FILE)
    write_json(tmp_path / "d" / CONFIG_FILE, {**config, SHARED_WITH: other})
    with pytest.raises(SelectraError, match="with its weights is missing"):
        load_discriminator(tmp_path / "d")


def test_neighbour_that_is_missing(tiny_config, tmp_path: Path):
    save_model(Discriminator(tiny_config), tmp_path / "d")
    config = read_json(tmp_path / "d" / CONFIG_FILE)
    write_json(tmp_path / "d" / CONFIG_FILE, {**config, SHARED_WITH: "absent"})
    with pytest.raises(SelectraError, match=r"absent/model.safetensors: no such file"):
        load_discriminator(tmp_path / "d")
