"""One step equals ELECTRA written out with transformers' models, in float64."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor
from transformers import ElectraConfig, ElectraForMaskedLM, ElectraForPreTraining

from spacy_selectra.encoder.checkpoint import model_tensors
from spacy_selectra.encoder.config import generator_config
from spacy_selectra.encoder.heads import Discriminator, Generator
from spacy_selectra.pretraining.config import OptimizerSettings
from spacy_selectra.pretraining.model import PretrainingModel
from spacy_selectra.pretraining.optimizer import build_optimizer
from spacy_selectra.pretraining.step import Guard, TrainingStep
from tests.pretraining.test_model import CONFIG, make_batch, split

LENGTHS = [20, 7, 33, 20, 5]
RATE = 1e-3


@pytest.fixture
def model() -> PretrainingModel:
    torch.manual_seed(0)
    made = PretrainingModel(Generator(generator_config(CONFIG)), Discriminator(CONFIG)).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return made


def transformers_pair(model: PretrainingModel) -> tuple[ElectraForMaskedLM, ElectraForPreTraining]:
    pair = []
    for ours, kind in (
        (model.generator, ElectraForMaskedLM),
        (model.discriminator, ElectraForPreTraining),
    ):
        theirs = kind(ElectraConfig(**ours.config.to_dict())).double()
        missing, unexpected = theirs.load_state_dict(model_tensors(ours), strict=False)
        assert not unexpected
        assert set(missing) <= {"generator_lm_head.weight"}
        pair.append(theirs)
    generator, discriminator = pair
    generator.electra.embeddings = discriminator.electra.embeddings
    generator.generator_lm_head.weight = discriminator.electra.embeddings.word_embeddings.weight
    return generator, discriminator


def reference_loss(generator: ElectraForMaskedLM, discriminator: ElectraForPreTraining) -> Tensor:
    batch = make_batch(LENGTHS)
    mlm, rtd = [], []
    chosen = {int(row): index for index, row in enumerate(batch.positions)}
    for rows, length in split(batch):
        ids, types = batch.input_ids[rows], batch.type_ids[rows][None]
        logits = generator(batch.masked_ids[rows][None], token_type_ids=types).logits[0]
        corrupted = ids.clone()
        for place in range(length):
            if rows.start + place in chosen:
                distribution = torch.log_softmax(logits[place], dim=0)
                mlm.append(-distribution[ids[place]])
                passed = distribution.detach().exp().cumsum(0)
                draw = batch.uniforms[chosen[rows.start + place]]
                corrupted[place] = int((passed <= draw).sum())
        judged = discriminator(corrupted[None], token_type_ids=types).logits[0]
        wrong = (corrupted != ids).double()
        rtd.append(
            torch.nn.functional.binary_cross_entropy_with_logits(judged, wrong, reduction="none")
        )
    return torch.stack(mlm).mean() + 50 * torch.cat(rtd).mean()


def by_their_names(model: PretrainingModel, kind: str) -> dict[str, Tensor]:
    """Weights ("data") or gradients ("grad") of both networks, as transformers names them."""
    shown = copy.deepcopy(model)
    with torch.no_grad():
        for ours, other in zip(model.parameters(), shown.parameters(), strict=True):
            other.copy_(getattr(ours, kind))
    found = {}
    for name in ("generator", "discriminator"):
        tensors = model_tensors(getattr(shown, name))
        found |= {f"{name}.{key}": tensor for key, tensor in tensors.items()}
    return found


def test_loss_and_gradients(model):
    losses = model(make_batch(LENGTHS))
    losses.total.backward()
    ours = by_their_names(model, "grad")
    generator, discriminator = transformers_pair(model)
    expected = reference_loss(generator, discriminator)
    expected.backward()
    assert losses.total.item() == pytest.approx(expected.item(), rel=1e-12)
    compared = 0
    for prefix, theirs in (("generator", generator), ("discriminator", discriminator)):
        for name, parameter in theirs.named_parameters():
            if f"{prefix}.{name}" in ours:
                gradient = ours[f"{prefix}.{name}"]
                torch.testing.assert_close(gradient, parameter.grad, rtol=1e-8, atol=1e-10)
                compared += 1
    assert compared > 70


def test_a_step_with_clipping_and_adam(model):
    settings = OptimizerSettings(learning_rate=RATE, bias_correction=True)
    generator, discriminator = transformers_pair(model)
    make_step = TrainingStep(
        model,
        build_optimizer(dict(model.named_parameters()), settings),
        Guard(None, torch.device("cpu")),
        "fp32",
    )
    make_step([make_batch(LENGTHS)], RATE)

    reference_loss(generator, discriminator).backward()
    pair = torch.nn.ModuleList([discriminator, generator])
    parameters = [p for p in pair.parameters() if p.grad is not None]
    norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    assert norm > 2  # clipping is at work
    plain = torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.01},
            {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
        ],
        lr=RATE,
        eps=1e-6,
    )
    plain.step()
    ours = by_their_names(model, "data")
    for prefix, theirs in (("generator", generator), ("discriminator", discriminator)):
        for name, parameter in theirs.named_parameters():
            if f"{prefix}.{name}" in ours:
                # the first step of Adam is +-rate where the gradient is well above epsilon
                torch.testing.assert_close(
                    ours[f"{prefix}.{name}"], parameter.detach(), rtol=0, atol=RATE * 1e-3
                )
