"""The benchmark of fine-tuning runs, and its contenders do the same work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from spacy_selectra.corpus.readers import read_documents
from spacy_selectra.corpus.tokenizer import save_tokenizer
from spacy_selectra.corpus.vocabulary import VocabularySettings, train_vocabulary
from spacy_selectra.encoder.checkpoint import save_model
from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.models import Discriminator

pytestmark = pytest.mark.slow  # a process for every contender, each of which imports torch
needs_trainer = pytest.mark.skipif(
    find_spec("accelerate") is None, reason="transformers' Trainer needs accelerate"
)

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "assets" / "sample"


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers of width 32 that read words of the sample."""
    directory = tmp_path_factory.mktemp("encoder")
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


def run(encoder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, str(ROOT / "benchmarks" / "finetuning.py")),
            *("--encoder", str(encoder), "--threads", "1", "--warm-up", "1", *arguments),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def record_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@needs_trainer
def test_contenders_end_with_the_same_weights(encoder: Path, tmp_path: Path):
    """Over two epochs, the last batch of each being smaller than the others."""
    sentences = (SAMPLE / "ner" / "train.conll").read_text(encoding="utf-8").split("\n\n")
    for name, some in (("train", sentences[:21]), ("dev", sentences[21:26])):
        (tmp_path / name).write_text("\n\n".join(some) + "\n", encoding="utf-8")
    names = ["Trainer", "ours fp32"]
    done = run(
        encoder,
        *("--task", "ner", "--train", str(tmp_path / "train"), "--dev", str(tmp_path / "dev")),
        *("--epochs", "2", "--batch", "8", "--dropout", "0", "--rate-warm-up", "0"),
        *("--rate", "0.002", "--length", "64", "--only", *names),
    )
    record = record_of(done)
    assert (record["steps"], record["epochs"], record["metric"]) == (6, 2, "f1")
    assert list(record["contenders"]) == names
    assert "| difference |" in done.stdout
    theirs, ours = record["contenders"].values()
    for row in (theirs, ours):
        assert 0 < row["slowest"] <= row["pieces_per_second"] <= row["fastest"]
        assert min(row["step_ms"], row["peak_memory_mib"]) > 0
    rate = ours["pieces_per_second"] / theirs["pieces_per_second"]
    assert ours["ratio"] == ours["ratio_to_peer"] == pytest.approx(rate)
    assert theirs["difference"] == 0 <= ours["difference"] < 1e-3
    assert ours["scores"] == theirs["scores"]


def test_it_says_what_is_missing(encoder: Path, tmp_path: Path):
    # an interpreter that finds no accelerate, whether or not it is installed
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'accelerate' else find(name, *rest)\n"
    )
    done = run(encoder, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert done.returncode == 2
    assert "pip install accelerate" in done.stderr
