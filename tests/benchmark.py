"""Running the scripts in benchmarks/ on models of a few thousand weights."""

from __future__ import annotations

import json
import os
import runpy
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import torch

from spacy_selectra.corpus.documents import read_documents
from spacy_selectra.corpus.vocabulary import VocabularySettings, train_vocabulary
from spacy_selectra.encoder.checkpoint import save_model
from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.heads import Discriminator
from spacy_selectra.text.tokenizer import save_tokenizer

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
SAMPLE = ROOT / "assets" / "sample"


class Ended(NamedTuple):
    """How a script ended, and what it printed."""

    status: int
    stdout: str
    stderr: str


def start(script: str, *arguments: str) -> Ended:
    """Run a script of benchmarks/ to its end, in this process.

    That spares the import of torch and spaCy; contenders are processes of their own all the same.
    """
    path, status = BENCHMARKS / script, 0
    stdout, stderr = StringIO(), StringIO()
    threads = torch.get_num_threads()
    with (
        torch.random.fork_rng(devices=[]),
        mock.patch.dict(os.environ, PYTHONPATH=str(ROOT)),
        mock.patch.object(sys, "argv", [str(path), *arguments]),
        mock.patch.object(sys, "path", [str(BENCHMARKS), *sys.path]),
        redirect_stdout(stdout),
        redirect_stderr(stderr),
    ):
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as end:
            status = int(end.code or 0)
        finally:
            torch.set_num_threads(threads)
    return Ended(status, stdout.getvalue(), stderr.getvalue())


def run(script: str, *arguments: str) -> str:
    """What a script that succeeds prints."""
    done = start(script, *arguments)
    assert done.status == 0, done.stderr
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
