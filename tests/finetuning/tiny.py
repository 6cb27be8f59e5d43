"""A tokenizer, an encoder and a little data: small enough to train in a second."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import torch

from spacy_selectra.encoder.checkpoint import save_model
from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.heads import Discriminator, SequenceClassifier
from spacy_selectra.text.tokenizer import SPECIAL_TOKENS, make_tokenizer, save_tokenizer

ANIMALS = ["gato", "perro", "caballo", "pájaro", "burro", "niño"]
VERBS = ["come", "duerme", "corre", "salta", "canta", "sueña"]
PLACES = ["Cádiz", "León", "Málaga", "Logroño", "Ávila", "Mérida"]
NLI_LABELS = ["contradiction", "neutral", "entailment"]


def save_tiny_tokenizer(directory: Path, max_length: int = 64) -> None:
    """Whole words of the data, single characters for all else."""
    characters = "abcdefghijklmnopqrstuvwxyzáéíóúñüABCDEFGHIJKLMNOPQRSTUVWXYZÁÉÍÓÚÑ0123456789.,¿?{}"
    words = [*ANIMALS, *VERBS, *PLACES, "El", "no", "en", "Este", "ejemplo", "es", "deportes"]
    entries = [*SPECIAL_TOKENS, *characters, *[f"##{char}" for char in characters], *words]
    save_tokenizer(make_tokenizer(entries), directory, max_length=max_length)


def tiny_config(tokenizer: Path) -> EncoderConfig:
    """Two layers, 64 positions, the tokenizer's vocabulary."""
    size = len((tokenizer / "vocab.txt").read_text(encoding="utf-8").splitlines())
    return EncoderConfig(
        vocab_size=size,
        embedding_size=16,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.2,
    )


def save_discriminator(directory: Path, seed: int = 0) -> Path:
    """A discriminator with random weights and its tokenizer."""
    tokenizer = directory.with_name(directory.name + "-tokenizer")
    save_tiny_tokenizer(tokenizer)
    torch.manual_seed(seed)
    save_model(Discriminator(tiny_config(tokenizer)), directory, tokenizer=tokenizer)
    return directory


def save_classifier(directory: Path, labels: Sequence[str] = NLI_LABELS, seed: int = 0) -> Path:
    """A classifier with random weights and its tokenizer."""
    tokenizer = directory.with_name(directory.name + "-tokenizer")
    save_tiny_tokenizer(tokenizer)
    torch.manual_seed(seed)
    save_model(SequenceClassifier(tiny_config(tokenizer), labels), directory, tokenizer=tokenizer)
    return directory


def nli_rows(count: int, seed: int) -> list[dict[str, str]]:
    """Entailment pairs a bag of words can nearly tell apart: a "no", the same verb, another."""
    choose = random.Random(seed)
    rows = []
    for number in range(count):
        animal, verb, place = choose.choice(ANIMALS), choose.choice(VERBS), choose.choice(PLACES)
        label = NLI_LABELS[number % 3]
        other = choose.choice([one for one in VERBS if one != verb])
        hypothesis = {
            "contradiction": f"El {animal} no {verb}.",
            "neutral": f"El {animal} {other}.",
            "entailment": f"El {animal} {verb}.",
        }[label]
        premise = f"El {animal} {verb} en {place}."
        rows.append({"premise": premise, "hypothesis": hypothesis, "label": label})
    return rows


def write_jsonl(path: Path, rows: Sequence[dict[str, str]]) -> Path:
    """One object a line, accents as they are."""
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
