"""Running the scripts in benchmarks/ as a user does, on models of a few thousand weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from spacy_selectra.corpus.readers import read_documents
from spacy_selectra.corpus.vocabulary import VocabularySettings, train_vocabulary
from spacy_selectra.encoder.checkpoint import save_model
from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.heads import Discriminator
from spacy_selectra.text.tokenizer import save_tokenizer

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
SAMPLE = ROOT / "assets" / "sample"


def start(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script of benchmarks/ to its end, with changes to the environment."""
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def run(script: str, *arguments: str) -> str:
    """What a script that succeeds prints."""
    done = start(script, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def record(printed: str) -> dict[str, Any]:
    """The line of JSON at the end."""
    return json.loads(printed.splitlines()[-1])


def rows(printed: str) -> list[str]:
    """First cells of the table, without its head."""
    lines = [line for line in printed.splitlines() if line.startswith("|")]
    return [line.split(" | ")[0].strip("| ") for line in lines[2:]]


def write_encoder(directory: Path) -> Path:
    """Two layers of width 32 that read words of the sample."""
    settings = VocabularySettings(size=600, heldout=0)
    trained = train_vocabulary(lambda: read_documents(SAMPLE / "text" / "heldout.txt"), settings)
    save_tokenizer(trained.tokenizer, directory / "tokenizer", max_length=512)
    torch.manual_seed(0)
    config = EncoderConfig(
        vocab_size=trained.size,
        embedding_size=32,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
    )
    save_model(Discriminator(config), directory / "model", tokenizer=directory / "tokenizer")
    return directory / "model"
