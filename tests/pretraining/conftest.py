from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from transformers import ElectraConfig, ElectraForMaskedLM, ElectraForPreTraining

from spacy_selectra.corpus.packed.builder import PackSettings, pack_corpus
from spacy_selectra.pretraining.config import PretrainingSettings
from spacy_selectra.text.tokenizer import (
    SPECIAL_TOKENS,
    make_tokenizer,
    read_vocabulary,
    save_tokenizer,
)

LENGTH = 32
_WORDS = [
    "el",
    "la",
    "niño",
    "niña",
    "perro",
    "gato",
    "casa",
    "pan",
    "rosa",
    "comió",
    "bebió",
    "miró",
    "corrió",
    "piñón",
    "en",
    "de",
    "con",
    "y",
    "Cádiz",
    "Madrid",
    "Ana",
    "José",
    "ayer",
    "mañana",
    "siempre",
    "árbol",
    "río",
    "mar",
    "azul",
    "grande",
    "pequeño",
    ".",
]

CONFIG = """
[paths]
corpus = "{corpus}"
tokenizer = "{tokenizer}"

[encoder]
preset = "tiny"
embedding_size = 16
hidden_size = 32
num_hidden_layers = 2
num_attention_heads = 4
intermediate_size = 64

[generator]

[objective]

[optimizer]
learning_rate = 0.005

[schedule]
warmup_steps = 4

[training]
max_steps = 12
batch_size = 8
precision = "fp32"
device = "cpu"
threads = 1
seed = 3
log_every = 2
checkpoint_every = 5
"""


class Data(NamedTuple):
    """A tokenizer, a corpus packed with it and a configuration file that names both."""

    tokenizer: Path
    corpus: Path
    config: Path


@pytest.fixture(autouse=True)
def leave_torch_as_it_was():
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    yield
    torch.set_num_threads(threads)
    torch.set_rng_state(state)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    root = tmp_path_factory.mktemp("pretraining")
    save_tokenizer(make_tokenizer([*SPECIAL_TOKENS, *_WORDS]), root / "tokenizer")
    rng = np.random.default_rng(0)
    documents = [" ".join(rng.choice(_WORDS, size=rng.integers(20, 60))) for _ in range(150)]
    (root / "text.txt").write_text("\n\n".join(documents), encoding="utf-8")
    settings = PackSettings(length=LENGTH, heldout=0.2)
    pack_corpus(root / "text.txt", root / "packed", root / "tokenizer", settings)
    config = root / "pretrain.cfg"
    config.write_text(CONFIG.format(corpus=root / "packed", tokenizer=root / "tokenizer"))
    return Data(root / "tokenizer", root / "packed", config)


@pytest.fixture
def settings(data: Data):
    """Reads the configuration with overrides, `training__max_steps=3` and the like."""
    from spacy_selectra.pretraining.config import read_settings

    def read(**overrides: Any) -> PretrainingSettings:
        named = {name.replace("__", "."): value for name, value in overrides.items()}
        return read_settings(data.config, named)

    return read


class Published(NamedTuple):
    discriminator: Path
    generator: Path


def tokenizer(directory: Path, entries: list[str]) -> Path:
    save_tokenizer(make_tokenizer(entries), directory, 32)
    return directory


@pytest.fixture
def published(data, tmp_path: Path) -> Published:
    """Both networks as transformers writes them, with the tokenizer of the corpus."""
    torch.manual_seed(0)
    pieces = read_vocabulary(data.tokenizer).pieces
    sizes: dict[str, Any] = {
        "vocab_size": len(pieces),
        "embedding_size": 16,
        "num_hidden_layers": 2,
        "max_position_embeddings": 32,
    }
    wide = ElectraConfig(
        hidden_size=32,
        num_attention_heads=4,
        intermediate_size=64,
        hidden_dropout_prob=0.0,
        **sizes,
    )
    narrow = ElectraConfig(hidden_size=8, num_attention_heads=1, intermediate_size=16, **sizes)
    discriminator, generator = ElectraForPreTraining(wide), ElectraForMaskedLM(narrow)
    generator.electra.embeddings = discriminator.electra.embeddings
    generator.generator_lm_head.weight = discriminator.electra.embeddings.word_embeddings.weight
    torch.nn.init.normal_(generator.generator_lm_head.bias)
    for name, model in (("discriminator", discriminator), ("generator", generator)):
        model.save_pretrained(tmp_path / name)
        tokenizer(tmp_path / name, list(pieces))
    return Published(tmp_path / "discriminator", tmp_path / "generator")


@pytest.fixture
def start(data):
    """Settings that continue from somewhere."""

    def make(**sections: dict[str, Any]) -> PretrainingSettings:
        values: dict[str, Any] = {
            "paths": {"corpus": data.corpus, "tokenizer": data.tokenizer},
            "training": {
                "max_steps": 2,
                "batch_size": 4,
                "precision": "fp32",
                "device": "cpu",
                "threads": 1,
            },
        }
        for name, section in sections.items():
            values[name] = values.get(name, {}) | section
        return PretrainingSettings.model_validate(values)

    return make
