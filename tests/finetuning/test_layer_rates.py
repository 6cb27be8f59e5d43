from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.heads import SequenceClassifier
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.layer_rates import (
    freeze_layers,
    make_optimizer,
    parameter_groups,
    warmup_linear,
)


def rates(config: EncoderConfig) -> dict[str, tuple[float, float]]:
    """Learning rate and weight decay of every parameter."""
    model = SequenceClassifier(config, ["a", "b"])
    groups = parameter_groups(model, config.num_hidden_layers, 1e-3, 0.5, 0.01)
    of = {id(p): (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}
    return {name: of[id(parameter)] for name, parameter in model.named_parameters()}


def test_the_rate_halves_from_layer_to_layer(tiny_config: EncoderConfig):
    rate = {name: value for name, (value, _) in rates(tiny_config).items()}
    assert rate["head.dense.weight"] == rate["head.out_proj.bias"] == pytest.approx(1e-3)
    # one step below the head, not two
    assert rate["encoder.layers.1.qkv.weight"] == pytest.approx(1e-3 / 2)
    assert rate["encoder.layers.0.output_norm.weight"] == pytest.approx(1e-3 / 4)
    assert rate["encoder.embeddings.word_embeddings.weight"] == pytest.approx(1e-3 / 8)
    assert rate["encoder.embeddings_project.weight"] == pytest.approx(1e-3 / 8)


def test_every_parameter_has_a_group_and_vectors_are_not_decayed(tiny_config: EncoderConfig):
    for name, (_, decay) in rates(tiny_config).items():
        assert decay == (0.0 if name.endswith("bias") or "norm" in name else 0.01), name


def test_one_step_moves_each_depth_by_its_rate(tiny_config: EncoderConfig):
    model = SequenceClassifier(tiny_config, ["a", "b"])
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    optimizer = make_optimizer(parameter_groups(model, 2, 1e-3, 0.5, 0.0))
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    moved = {n: float((before[n] - p.detach()).max()) for n, p in model.named_parameters()}
    # Adam's first step is the learning rate itself
    assert moved["head.dense.weight"] == pytest.approx(1e-3, rel=1e-3)
    assert moved["encoder.layers.0.qkv.weight"] == pytest.approx(2.5e-4, rel=1e-3)


def test_schedule_rises_and_falls_to_zero():
    values = [warmup_linear(step, 20, 0.1) for step in range(21)]
    assert values[:3] == [0.5, 1.0, 1.0]
    assert values[20] == 0.0
    assert all(left > right for left, right in pairwise(values[2:]))


@pytest.mark.parametrize(("frozen", "learns"), [(None, 3), (0, 2), (1, 1), (2, 0)])
def test_frozen_layers(frozen: int | None, learns: int, tiny_config: EncoderConfig):
    model = SequenceClassifier(tiny_config, ["a", "b"])
    freeze_layers(model, 2, frozen)
    learning = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    parts = ["encoder.embeddings", "encoder.layers.0.", "encoder.layers.1."]
    moving = [any(name.startswith(part) for name in learning) for part in parts]
    assert moving == [place >= 3 - learns for place in range(3)]
    assert "head.dense.weight" in learning


def test_more_frozen_layers_than_there_are(tiny_config: EncoderConfig):
    with pytest.raises(SelectraError, match="frozen_layers is 3, but the encoder has 2 layers"):
        freeze_layers(SequenceClassifier(tiny_config, ["a", "b"]), 2, 3)
