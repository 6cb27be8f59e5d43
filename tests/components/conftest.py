"""A tiny encoder directory with a real Spanish WordPiece tokenizer, and pipelines over it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import spacy
import torch
from spacy.language import Language

from spacy_selectra.corpus.documents import Document
from spacy_selectra.corpus.vocabulary import VocabularySettings, train_vocabulary
from spacy_selectra.encoder.checkpoint import save_model
from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.heads import Discriminator
from spacy_selectra.text.tokenizer import save_tokenizer

SENTENCES = [
    "El niño comió piñón en Cádiz.",
    "¿Quién vive en la calle Mayor, 10? Nadie lo sabe.",
    "La señora García (de Málaga) compró 3,5 kg de azúcar; costó 4€.",
    "A las 10:30h el tren salió hacia Zaragoza...",
    "«Vámonos», dijo Íñigo. ¡Qué frío!",
    "Sí.",
]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def encoder_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers of width 32, 40 positions; weights large enough for errors to show."""
    directory = tmp_path_factory.mktemp("encoder")
    # The package's own training: equal pieces in every run, which tokenizers' alone does not give.
    trained = train_vocabulary(
        lambda: (Document(text, "sentences", str(n)) for n, text in enumerate(SENTENCES)),
        VocabularySettings(size=150, min_frequency=1, heldout=0.0),
    )
    save_tokenizer(trained.tokenizer, directory / "tokenizer", max_length=40)
    torch.manual_seed(0)
    config = EncoderConfig(
        vocab_size=trained.size,
        embedding_size=16,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=40,
        initializer_range=0.2,
    )
    save_model(Discriminator(config), directory / "model", tokenizer=directory / "tokenizer")
    return directory / "model"


@pytest.fixture(scope="session")
def make_nlp(encoder_directory: Path):
    """A function that builds an initialised pipeline of a transformer with given settings."""

    def make(architecture: str = "spacy-selectra.SelectraModel.v1", **settings: Any) -> Language:
        nlp = spacy.blank("es")
        model = {"@architectures": architecture, "name": str(encoder_directory), **settings}
        nlp.add_pipe("transformer", config={"model": {"get_spans": None, **model}})
        nlp.initialize()
        return nlp

    return make


def strided(window: int = 128, stride: int = 96) -> dict[str, Any]:
    """The stock span getter as a configuration block."""
    return {
        "@span_getters": "spacy-transformers.strided_spans.v1",
        "window": window,
        "stride": stride,
    }
