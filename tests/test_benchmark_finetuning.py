"""The benchmark of fine-tuning runs, and its contenders do the same work."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.benchmark import SAMPLE, record, run, start, write_encoder

pytestmark = pytest.mark.slow  # a process for every contender, each of which imports torch
needs_trainer = pytest.mark.skipif(
    find_spec("accelerate") is None, reason="transformers' Trainer needs accelerate"
)

COMMON = ("--threads", "1", "--warm-up", "1")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoder"))


@needs_trainer
def test_contenders_end_with_the_same_weights(encoder: Path, tmp_path: Path):
    """Over two epochs, the last batch of each being smaller than the others."""
    sentences = (SAMPLE / "ner" / "train.conll").read_text(encoding="utf-8").split("\n\n")
    for name, some in (("train", sentences[:21]), ("dev", sentences[21:26])):
        (tmp_path / name).write_text("\n\n".join(some) + "\n", encoding="utf-8")
    names = ["Trainer", "ours fp32"]
    printed = run(
        "finetuning.py",
        *("--encoder", str(encoder), *COMMON),
        *("--task", "ner", "--train", str(tmp_path / "train"), "--dev", str(tmp_path / "dev")),
        *("--epochs", "2", "--batch", "8", "--dropout", "0", "--rate-warm-up", "0"),
        *("--rate", "0.002", "--length", "64", "--only", *names),
    )
    found = record(printed)
    assert (found["steps"], found["epochs"], found["metric"]) == (6, 2, "f1")
    assert list(found["contenders"]) == names
    assert "| difference |" in printed
    theirs, ours = found["contenders"].values()
    for row in (theirs, ours):
        assert 0 < row["slowest"] <= row["pieces_per_second"] <= row["fastest"]
        assert min(row["step_ms"], row["peak_memory_mib"]) > 0
    rate = ours["pieces_per_second"] / theirs["pieces_per_second"]
    assert ours["ratio"] == ours["ratio_to_peer"] == pytest.approx(rate)
    assert theirs["difference"] == 0 <= ours["difference"] < 1e-3
    assert ours["scores"] == theirs["scores"]


def test_it_says_what_is_missing(encoder: Path, monkeypatch: pytest.MonkeyPatch):
    # whether or not it is installed
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name, *rest: None if name == "accelerate" else find_spec(name, *rest),
    )
    done = start("finetuning.py", "--encoder", str(encoder), *COMMON)
    assert done.status == 2
    assert "pip install accelerate" in done.stderr
