"""The benchmarks of spaCy pipelines run; what they measure is for whoever starts them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import benchmark

pytestmark = (
    pytest.mark.slow
)  # a process for every contender, each of which imports spaCy and torch


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return benchmark.write_encoder(tmp_path_factory.mktemp("encoder"))


def run(script: str, encoder: Path, *arguments: str) -> dict[str, Any]:
    common = ("--encoder", str(encoder), "--threads", "1", "--warm-up", "1")
    return benchmark.record(benchmark.run(script, *common, *arguments))


def test_pipeline(encoder):
    names = ["stock", "plain transformers", "ours fp32"]
    options = ["--words", "mixed", "--documents", "10", "--repeats", "2", "--head-steps", "40"]
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


def test_training(encoder, tmp_path: Path):
    sentences = (benchmark.SAMPLE / "ner" / "dev.conll").read_text(encoding="utf-8").split("\n\n")
    names = ["stock", "ours fp32"]
    options = ["--steps", "4", "--batch", "100", "--rate", "0.001"]
    for name in ("train", "dev"):
        (tmp_path / name).write_text("\n\n".join(sentences[:60]) + "\n", encoding="utf-8")
        options += [f"--{name}", str(tmp_path / name)]
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
