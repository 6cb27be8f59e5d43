"""Our encoder computes what transformers' ELECTRA computes, on the same files, both ways."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import (
    ElectraConfig,
    ElectraForMaskedLM,
    ElectraForPreTraining,
    ElectraForSequenceClassification,
    ElectraModel,
)

from spacy_selectra.encoder.checkpoint import (
    load_classifier,
    load_discriminator,
    load_generator,
    save_model,
)
from spacy_selectra.encoder.config import EncoderConfig, preset
from spacy_selectra.encoder.heads import Discriminator, Generator, SequenceClassifier
from spacy_selectra.encoder.serialization import encoder_from_tensors

LENGTHS = [7, 20, 1, 20, 19, 33, 2]


@pytest.fixture
def batch(tiny_config: EncoderConfig) -> dict[str, torch.Tensor]:
    """A padded batch of mixed lengths with two segments."""
    torch.manual_seed(0)
    mask = (torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]).long()
    ids = torch.randint(5, tiny_config.vocab_size, mask.shape) * mask
    types = (torch.arange(max(LENGTHS))[None] > torch.tensor(LENGTHS)[:, None] // 2).long() * mask
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


@pytest.fixture(params=["factorised", "square"])
def config(request: pytest.FixtureRequest, tiny_config: EncoderConfig) -> EncoderConfig:
    """With and without a projection after the embeddings."""
    if request.param == "square":
        return replace(tiny_config, embedding_size=tiny_config.hidden_size)
    return tiny_config


def packed(batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, list[int], torch.Tensor]:
    present = batch["attention_mask"].bool()
    return batch["input_ids"][present], LENGTHS, batch["token_type_ids"][present]


def theirs(config: EncoderConfig, **more: object) -> ElectraConfig:
    return ElectraConfig(**config.to_dict(), **more)


def close(ours: torch.Tensor, reference: torch.Tensor) -> bool:
    return torch.allclose(ours, reference, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_discriminator_written_by_us_is_read_by_transformers(config, batch, tmp_path: Path):
    model = Discriminator(config).eval()
    save_model(model, tmp_path / "model")
    reference, report = ElectraForPreTraining.from_pretrained(
        tmp_path / "model", output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    expected = reference(**batch).logits
    present = batch["attention_mask"].bool()
    assert close(model(*packed(batch)), expected[present])
    padded = model.head(model.encoder.forward_padded(**batch))
    assert close(padded[present], expected[present])


@torch.no_grad()
def test_discriminator_written_by_transformers_is_read_by_us(config, batch, tmp_path: Path):
    reference = ElectraForPreTraining(theirs(config)).eval()
    reference.save_pretrained(tmp_path)
    model = load_discriminator(tmp_path)
    expected = reference(**batch).logits
    present = batch["attention_mask"].bool()
    assert close(model(*packed(batch)), expected[present])
    assert close(model.head(model.encoder.forward_padded(**batch))[present], expected[present])


def test_layer_outputs_and_their_gradients(config, batch):
    wanted = {"output_attentions": True, "output_hidden_states": True}
    reference = ElectraModel(theirs(config, **wanted, attn_implementation="eager"))
    model = encoder_from_tensors(config.to_dict(), reference.state_dict())
    present = batch["attention_mask"].bool()
    ids = {key: batch[key] for key in ("input_ids", "attention_mask")}
    expected = reference.eval()(**ids)
    ours = model.layer_outputs(batch["input_ids"][present], LENGTHS)
    assert close(ours.last, expected.last_hidden_state[present])
    for mine, other in zip(ours.hidden_states, expected.hidden_states, strict=True):
        assert close(mine, other[present])
    for mine, other in zip(ours.attentions, expected.attentions, strict=True):
        assert close(mine, other * present[:, None, :, None])
    # not the sum of squares, which layer normalisation keeps the same but for rounding
    weight = torch.randn_like(ours.last)
    (expected.last_hidden_state[present] * weight).sum().backward()
    (ours.last * weight).sum().backward()
    for name, tensor in reference.named_parameters():
        if name.startswith("embeddings.") and tensor.grad is not None:
            mine = model.get_parameter(name.replace("LayerNorm", "layer_norm")).grad
            assert mine is not None
            scale = float(tensor.grad.abs().max())
            assert torch.allclose(mine, tensor.grad, atol=1e-4 * scale), name


@torch.no_grad()
def test_generator_both_ways(config, batch, tmp_path: Path):
    present = batch["attention_mask"].bool()
    reference = ElectraForMaskedLM(theirs(config)).eval()
    reference.save_pretrained(tmp_path / "theirs")
    model = load_generator(tmp_path / "theirs")
    assert close(model(*packed(batch)), reference(**batch).logits[present])
    model = Generator(config).eval()
    save_model(model, tmp_path / "ours")
    reference = ElectraForMaskedLM.from_pretrained(tmp_path / "ours")
    positions = torch.tensor([3, 9, 40])
    expected = reference(**batch).logits[present][positions]
    assert close(model(*packed(batch), positions), expected)


@torch.no_grad()
def test_classifier_both_ways(config, batch, tmp_path: Path):
    labels = ["contradiction", "neutral", "entailment"]
    reference = ElectraForSequenceClassification(theirs(config, num_labels=3)).eval()
    reference.save_pretrained(tmp_path / "theirs")
    model = load_classifier(tmp_path / "theirs", labels)
    assert close(model(*packed(batch)), reference(**batch).logits)
    model = SequenceClassifier(config, labels).eval()
    save_model(model, tmp_path / "ours")
    reference = ElectraForSequenceClassification.from_pretrained(tmp_path / "ours")
    assert close(model(*packed(batch)), reference(**batch).logits)
    assert reference.config.id2label == dict(enumerate(labels))
    assert load_classifier(tmp_path / "ours").labels == labels


def test_gradients_equal_those_of_transformers(config, batch, tmp_path: Path):
    reference = ElectraForPreTraining(theirs(config)).eval()
    reference.save_pretrained(tmp_path)
    model = load_discriminator(tmp_path)
    present = batch["attention_mask"].bool()
    weights = torch.randn(int(present.sum()))
    (reference(**batch).logits[present] * weights).sum().backward()
    (model(*packed(batch)) * weights).sum().backward()
    layer = reference.electra.encoder.layer[0]
    expected = torch.cat(
        [getattr(layer.attention.self, name).weight.grad for name in ("query", "key", "value")]
    )
    assert torch.allclose(model.encoder.layers[0].qkv.weight.grad, expected, atol=1e-4)
    assert torch.allclose(
        model.encoder.embeddings.word_embeddings.weight.grad,
        reference.electra.embeddings.word_embeddings.weight.grad,
        atol=1e-4,
    )


@pytest.mark.parametrize(("name", "parameters"), [("small", 22_475_265), ("medium", 40_839_937)])
def test_published_sizes(name: str, parameters: int):
    with torch.device("meta"):
        ours = Discriminator(preset(name))
        reference = ElectraForPreTraining(theirs(preset(name)))
    assert sum(weight.numel() for weight in ours.parameters()) == parameters
    assert sum(weight.numel() for weight in reference.parameters()) == parameters


def test_tiny_has_five_to_six_million_parameters():
    with torch.device("meta"):
        model = Discriminator(preset("tiny"))
    assert 5_000_000 <= sum(weight.numel() for weight in model.parameters()) <= 6_000_000
