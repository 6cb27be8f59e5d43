"""Random models of a few thousand weights in every part of a pipeline, trained on nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import spacy
import torch
from spacy.training import Example

from spacy_selectra.encoder.checkpoint import save_model
from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.heads import Discriminator, SequenceClassifier
from spacy_selectra.matching.calibrate import calibrate
from spacy_selectra.matching.storage import save_matching
from spacy_selectra.packaging.assemble import assemble_pipeline
from spacy_selectra.text.tokenizer import make_tokenizer, save_tokenizer
from tests.matching.conftest import corpus, model, sources, vectors  # noqa: F401

TEXT = "El niño comió piñón en Cádiz."
LETTERS = "abcdefghijklmnopqrstuvwxyzáéíóúüñABCDEFGHIJKLMNOPQRSTUVWXYZÁÉÍÓÚÑ0123456789.,;:¿?¡!-"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY = [*SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
CONFIG = EncoderConfig(
    vocab_size=len(VOCABULARY),
    embedding_size=16,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=64,
    max_position_embeddings=64,
    initializer_range=0.2,
)
ABOUT = """
description: A pipeline that knows nothing.
author: Nadie
license: MIT
sources:
  - {name: Random numbers, url: "https://example.org", license: CC0, use: weights}
limits:
  - Its weights are random.
"""
LISTENER = {
    "@architectures": "spacy-transformers.TransformerListener.v1",
    "grad_factor": 1.0,
    "pooling": {"@layers": "reduce_mean.v1"},
}


def spacy_pipeline(component: str, encoder: Path) -> Any:
    """A blank pipeline with a transformer and `ner` or `textcat` listening to it."""
    nlp = spacy.blank("es")
    encode = {"@architectures": "spacy-selectra.SelectraModel.v1", "name": str(encoder)}
    nlp.add_pipe("transformer", config={"model": encode})
    architecture: dict[str, Any] = {
        "ner": {
            "@architectures": "spacy.TransitionBasedParser.v2",
            "state_type": "ner",
            "extra_state_tokens": False,
            "hidden_width": 16,
            "maxout_pieces": 2,
            "use_upper": False,
        },
        "textcat": {
            "@architectures": "spacy.TextCatReduce.v1",
            "exclusive_classes": True,
            "use_reduce_first": False,
            "use_reduce_last": False,
            "use_reduce_max": False,
            "use_reduce_mean": True,
        },
    }[component]
    nlp.add_pipe(component, config={"model": {**architecture, "tok2vec": LISTENER}})
    gold = (
        {"entities": [(23, 28, "LOC")]}
        if component == "ner"
        else {"cats": {"cultura": 1.0, "deportes": 0.0}}
    )
    example = Example.from_dict(nlp.make_doc(TEXT), gold)
    nlp.initialize(lambda: [example])
    return nlp


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Directories as training leaves them: discriminator, entailment, ner, textcat, about."""
    root = tmp_path_factory.mktemp("parts")
    torch.manual_seed(0)
    tokenizer = root / "tokenizer"
    save_tokenizer(make_tokenizer(VOCABULARY), tokenizer, max_length=64)
    discriminator = root / "pretrain" / "discriminator"
    save_model(Discriminator(CONFIG), discriminator, tokenizer=tokenizer)
    (root / "pretrain" / "log.jsonl").write_text(
        '{"step": 10, "tokens_seen": 5000, "elapsed_seconds": 36.0}\n', encoding="utf-8"
    )
    entailment = root / "entailment"
    labels = ["contradiction", "neutral", "entailment"]
    save_model(SequenceClassifier(CONFIG, labels), entailment, tokenizer=tokenizer)
    result = {"discriminator": discriminator, "entailment": entailment}
    for component in ("ner", "textcat"):
        result[component] = root / component
        spacy_pipeline(component, discriminator).to_disk(result[component])
    result["about"] = root / "about.yml"
    result["about"].write_text(ABOUT, encoding="utf-8")
    return result


@pytest.fixture(scope="session")
def matching(model, sources, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """A matching model of three subjects, as `labels match` leaves it."""
    directory = tmp_path_factory.mktemp("matching") / "model"
    calibrated = calibrate(model, sources)
    calibrated.origin |= {
        "sources": [{"name": "Texts of three subjects", "license": "CC0", "use": "labels"}],
        "limits": ["It knows three subjects."],
    }
    save_matching(calibrated, directory)
    return directory


@pytest.fixture(scope="session")
def pipeline(parts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All parts assembled."""
    output = tmp_path_factory.mktemp("assembled") / "pipeline"
    assemble_pipeline(output, name="selectra_test", version="0.1.0", **parts)
    return output
