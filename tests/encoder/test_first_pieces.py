"""The encoder for first pieces only: the vectors of the whole encoder, for less work."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.electra import SelectraEncoder
from spacy_selectra.encoder.heads import SequenceClassifier
from spacy_selectra.encoder.layout import PackedLayout
from spacy_selectra.encoder.precision import precision

LENGTHS = {
    "equal": [7, 7, 7],
    "one": [5],
    "descending": [60, 31, 30, 9, 1],
    "in any order": [3, 60, 9, 1, 31, 58, 30, 2],
    "none": [],
}


def make_encoder(config: EncoderConfig) -> SelectraEncoder:
    torch.manual_seed(0)
    return SelectraEncoder(config).eval()


def batch(lengths: list[int]) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(5, 101, (sum(lengths),), generator=generator)
    return ids, torch.randint(0, 2, ids.shape, generator=generator)


def encode(encoder: SelectraEncoder, lengths: list[int], mode: str) -> tuple[Tensor, Tensor]:
    ids, types = batch(lengths)
    layout = PackedLayout.from_lengths(lengths)
    with torch.inference_mode(), precision(mode):
        everything = encoder(ids, layout, types)
        return everything[layout.first], encoder(ids, layout, types, cls_only=True)


@pytest.mark.parametrize("mode", ["fp32", "fast"])
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_equals_the_rows_of_the_whole(tiny_config: EncoderConfig, lengths: list[int], mode: str):
    expected, found = encode(make_encoder(tiny_config), lengths, mode)
    assert found.shape == (len(lengths), tiny_config.hidden_size)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("activation", ["gelu_new", "relu"])
def test_equals_in_float64(tiny_config: EncoderConfig, activation: str):
    encoder = make_encoder(replace(tiny_config, hidden_act=activation)).double()
    expected, found = encode(encoder, LENGTHS["in any order"], "fp32")
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_devices_without_a_layer_of_their_own(tiny_config: EncoderConfig, monkeypatch):
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    expected, found = encode(make_encoder(tiny_config), LENGTHS["in any order"], "fp32")
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("lengths", [LENGTHS["equal"], LENGTHS["in any order"]])
def test_under_bfloat16_no_further_from_float32(tiny_config: EncoderConfig, lengths: list[int]):
    encoder = make_encoder(tiny_config)
    exact, _ = encode(encoder, lengths, "fp32")
    whole, found = encode(encoder, lengths, "bf16")
    assert found.dtype == torch.float32
    assert 0 < (found - exact).abs().mean() < 1.5 * (whole - exact).abs().mean()


def test_spares_most_of_the_last_layer(tiny_config: EncoderConfig):
    encoder, lengths = make_encoder(tiny_config), [60] * 4
    ids, types = batch(lengths)
    counts = []
    for cls_only in (False, True):
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            encoder(ids, lengths, types, cls_only=cls_only)
        counts.append(counter.get_total_flops())
    layer = counts[0] / tiny_config.num_hidden_layers
    assert counts[0] - counts[1] > 0.5 * layer


def test_training_goes_through_all_of_it(tiny_config: EncoderConfig):
    lengths = LENGTHS["in any order"]
    ids, types = batch(lengths)
    torch.manual_seed(0)
    model = SequenceClassifier(tiny_config, ["a", "b"])
    gradients = []
    for cls_only in (False, True):
        torch.manual_seed(5)  # the same dropout
        model.zero_grad()
        layout = PackedLayout.from_lengths(lengths)
        if cls_only:
            hidden = model.encoder(ids, layout, types, cls_only=True)
        else:
            hidden = model.encoder(ids, layout, types)[layout.first]
        hidden.square().sum().backward()
        gradients.append([each.grad.clone() for each in model.encoder.parameters()])
    for ours, theirs in zip(*gradients, strict=True):
        assert torch.equal(ours, theirs)


def test_classifier_gives_the_same_logits_with_and_without_gradients(tiny_config: EncoderConfig):
    torch.manual_seed(0)
    model = SequenceClassifier(tiny_config, ["a", "b", "c"]).eval()
    lengths = LENGTHS["in any order"]
    ids, types = batch(lengths)
    expected = model(ids, lengths, types)
    assert expected.requires_grad
    with torch.no_grad():
        torch.testing.assert_close(model(ids, lengths, types), expected, rtol=0, atol=1e-6)
