"""Reading encoders: directories, hub ids, other model types, damaged and pickled weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import (
    AlbertConfig,
    AutoModel,
    BertConfig,
    DistilBertConfig,
    PretrainedConfig,
    RobertaConfig,
)

from spacy_selectra import load_encoder
from spacy_selectra.encoder import transformers_models
from spacy_selectra.encoder.checkpoint import load_classifier, load_discriminator, save_model
from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.electra import SelectraEncoder
from spacy_selectra.encoder.heads import Discriminator, Generator, SequenceClassifier
from spacy_selectra.encoder.serialization import encoder_from_tensors, encoder_tensors
from spacy_selectra.encoder.transformers_models import TransformersEncoder
from spacy_selectra.errors import SelectraError
from spacy_selectra.util.files import read_json, write_json

SIZES = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
}
OTHERS = {
    "bert": BertConfig(**SIZES),
    "roberta": RobertaConfig(**SIZES),
    "albert": AlbertConfig(**SIZES, embedding_size=8),
    "distilbert": DistilBertConfig(
        vocab_size=60, dim=16, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=40
    ),
}


@pytest.fixture
def saved(tiny_config: EncoderConfig, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_model(Discriminator(tiny_config), tmp_path / "model")
    return tmp_path / "model"


@torch.no_grad()
@pytest.mark.parametrize("kind", OTHERS)
def test_other_encoders_behind_the_same_calls(kind: str, tmp_path: Path):
    config: PretrainedConfig = OTHERS[kind]
    torch.manual_seed(0)
    reference = AutoModel.from_config(config).eval()
    reference.save_pretrained(tmp_path)
    encoder = load_encoder(tmp_path)
    assert isinstance(encoder, TransformersEncoder)
    ids = torch.randint(5, 60, (17,))
    hidden = encoder(ids, [4, 10, 3])
    assert hidden.shape == (17, 16)
    alone = reference(input_ids=ids[4:14][None]).last_hidden_state[0]
    assert torch.allclose(hidden[4:14], alone, atol=1e-5)
    rebuilt = encoder_from_tensors(encoder.config.to_dict(), encoder_tensors(encoder))
    assert torch.allclose(rebuilt(ids, [4, 10, 3]), hidden, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("kind", OTHERS)
def test_long_texts_do_not_pad_short_ones(kind: str, monkeypatch: pytest.MonkeyPatch):
    torch.manual_seed(0)
    encoder = TransformersEncoder(AutoModel.from_config(OTHERS[kind])).eval()
    lengths = [4, 30, 7, 20, 5]
    ids = torch.randint(5, 60, (sum(lengths),))
    whole = encoder(ids, lengths)
    shapes: list[tuple[int, ...]] = []
    encoder.model.embeddings.register_forward_hook(
        lambda module, args, output: shapes.append(tuple(output.shape[:2]))
    )
    monkeypatch.setattr(transformers_models, "_PADDED_AT_ONCE", 100)
    assert torch.allclose(encoder(ids, lengths), whole, atol=1e-5)
    assert shapes == [(2, 30), (3, 7)]


@torch.no_grad()
def test_electra_round_trip_through_tensors(saved: Path):
    encoder = load_encoder(saved)
    assert isinstance(encoder, SelectraEncoder)
    tensors = encoder_tensors(encoder)
    assert "encoder.layer.0.attention.self.query.weight" in tensors
    rebuilt = encoder_from_tensors(encoder.config.to_dict(), tensors)
    ids = torch.randint(5, 100, (9,))
    assert torch.equal(rebuilt(ids, [9]), encoder(ids, [9]))


def test_half_precision_files_are_read_as_float32(tiny_config: EncoderConfig, tmp_path: Path):
    save_model(Discriminator(tiny_config), tmp_path / "half", dtype=torch.float16)
    assert read_json(tmp_path / "half" / "config.json")["torch_dtype"] == "float16"
    assert next(load_encoder(tmp_path / "half").parameters()).dtype == torch.float32


def test_hub_ids_are_downloaded(saved: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []

    def download(name: str, allow_patterns: list[str]) -> str:
        asked.append(name)
        assert not any("bin" in pattern for pattern in allow_patterns)
        return str(saved)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert isinstance(load_encoder("Recognai/selectra_small"), SelectraEncoder)
    assert asked == ["Recognai/selectra_small"]


def test_unreachable_hub_is_one_clear_error():
    with pytest.raises(SelectraError, match="nobody/nothing: no such directory"):
        load_encoder("nobody/nothing")


def test_pickled_weights_are_refused(saved: Path):
    (saved / "model.safetensors").rename(saved / "pytorch_model.bin")
    with pytest.raises(SelectraError, match="a pickle, which is never loaded"):
        load_encoder(saved)


def test_truncated_weights(saved: Path):
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(SelectraError, match="damaged weights"):
        load_encoder(saved)


def test_missing_directory():
    with pytest.raises(SelectraError, match="no such model directory"):
        load_encoder("./not/here")


def test_config_that_does_not_fit_the_weights(saved: Path):
    config = read_json(saved / "config.json")
    write_json(saved / "config.json", {**config, "intermediate_size": 128})
    with pytest.raises(SelectraError, match="do not fit together"):
        load_encoder(saved)


def test_wrong_head(tiny_config: EncoderConfig, tmp_path: Path):
    save_model(Generator(tiny_config), tmp_path / "generator")
    with pytest.raises(SelectraError, match="not an ElectraForPreTraining checkpoint"):
        load_discriminator(tmp_path / "generator")
    save_model(SequenceClassifier(tiny_config, ["a", "b"]), tmp_path / "classifier")
    with pytest.raises(SelectraError, match="do not fit together"):
        load_classifier(tmp_path / "classifier", ["a", "b", "c"])


def test_saving_replaces_a_directory_and_copies_the_tokenizer(saved: Path, tmp_path: Path):
    tokenizer = tmp_path / "tokenizer"
    tokenizer.mkdir()
    (tokenizer / "vocab.txt").write_text("[PAD]\nniño\n", encoding="utf-8")
    (saved / "stale.txt").write_text("old")
    save_model(load_discriminator(saved), saved, tokenizer=tokenizer)
    assert not (saved / "stale.txt").exists()
    assert (saved / "vocab.txt").read_text(encoding="utf-8") == "[PAD]\nniño\n"
    assert not list(tmp_path.glob(".*"))
