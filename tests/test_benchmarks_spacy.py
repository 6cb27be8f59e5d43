"""The benchmarks of spaCy pipelines run; what they measure is for whoever starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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

pytestmark = (
    pytest.mark.slow
)  # a process for every contender, each of which imports spaCy and torch

ROOT = Path(__file__).parents[1]
TEXT = ROOT / "assets" / "sample" / "text" / "heldout.txt"


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers of width 32 that read words of the sample; 64 positions."""
    directory = tmp_path_factory.mktemp("encoder")
    settings = VocabularySettings(size=600, heldout=0)
    trained = train_vocabulary(lambda: read_documents(TEXT), settings)
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


def run(script: str, encoder: Path, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "benchmarks" / script),
            *("--encoder", str(encoder), "--threads", "1", "--warm-up", "1"),
            *arguments,
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_pipeline(encoder):
    names = ["stock", "plain transformers", "ours fp32"]
    options = ["--words", "mixed", "--documents", "10", "--repeats", "2", "--head-steps", "200"]
    row = run("pipeline.py", encoder, *options, "--profile", "--only", *names)
    assert list(row["contenders"]) == names
    for found in row["contenders"].values():
        assert 0 < found["slowest"] <= found["words_per_second"] <= found["fastest"]
        assert found["document_ms"] > 0
    stock, plain, ours = row["contenders"].values()
    assert ours["ratio"] == ours["words_per_second"] / stock["words_per_second"]
    assert plain["entities_equal"] is None
    # the head was trained: otherwise equal entities would say nothing
    assert sum(stock["entities"].values()) >= 5
    assert ours["entities_equal"] == 1
    assert ours["entities"] == stock["entities"]
    assert ours["vector_difference"] < 1e-4
    assert all(seconds > 0 for seconds in ours["profile"].values())


def test_pipeline_one_document_at_a_time(encoder):
    options = ["--words", "8", "--documents", "5", "--repeats", "1", "--head-steps", "2"]
    row = run("pipeline.py", encoder, *options, "--one", "--only", "ours fast whole")
    assert row["words_in_all"] == pytest.approx(40, abs=20)
    found = row["contenders"]["ours fast whole"]
    assert found["words_per_second"] > 0
    assert found["ratio"] is None


def test_training(encoder):
    names = ["stock", "ours fp32"]
    options = ["--steps", "4", "--batch", "100", "--rate", "0.001"]
    row = run("spacy_training.py", encoder, *options, "--only", *names)
    assert list(row["contenders"]) == names
    for found in row["contenders"].values():
        assert 0 < found["slowest"] <= found["words_per_second"] <= found["fastest"]
        assert min(found["steps_per_second"], found["peak_memory_mib"], found["last_loss"]) > 0
        assert 0 <= found["f1"] <= 1
    stock, ours = row["contenders"].values()
    assert ours["ratio"] == stock["seconds"] / ours["seconds"]
    # the same head, sentences and encoder, whose dropout differs
    assert ours["first_loss"] == pytest.approx(stock["first_loss"], rel=0.1)
