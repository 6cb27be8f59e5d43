"""Trials shared out over processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.config import FinetuneSettings
from spacy_selectra.finetuning.finetune import Finetuning
from spacy_selectra.util.config import parse_settings
from spacy_selectra.util.distributed import Share
from tests.finetuning.tiny import nli_rows, save_discriminator, write_jsonl


def test_every_trial_has_one_process(monkeypatch):
    taken = []
    for rank in range(3):
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("WORLD_SIZE", "3")
        taken += Share.of_environment().own(range(1, 6))
    assert sorted(taken) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("rank", "size"), [("3", "3"), ("-1", "2"), ("x", "2")])
def test_nonsense_in_the_environment(rank, size, monkeypatch):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", size)
    with pytest.raises(SelectraError, match="RANK"):
        Share.of_environment()


def test_two_processes_make_the_summary_that_one_makes(monkeypatch, tmp_path: Path):
    encoder = save_discriminator(tmp_path / "encoder")
    for seed, (split, count) in enumerate([("train", 24), ("dev", 12)]):
        write_jsonl(tmp_path / f"{split}.jsonl", nli_rows(count, seed))
    values = {
        "task": {"name": "nli"},
        "data": {"name": "x", **{s: str(tmp_path / f"{s}.jsonl") for s in ("train", "dev")}},
        "encoder": {"path": str(encoder)},
        "training": {"epochs": 1, "precision": "fp32"},
    }
    chosen = parse_settings(FinetuneSettings, values, "test")

    def run(out: str) -> dict:
        return Finetuning(chosen, tmp_path / out, warn=print, quiet=True).run(3)

    alone = run("alone")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert run("shared") == {}
    monkeypatch.setenv("RANK", "0")
    assert run("shared") == alone
