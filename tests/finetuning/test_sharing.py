"""Trials shared out over processes."""

from __future__ import annotations

from pathlib import Path

from spacy_selectra.finetuning.config import FinetuneSettings
from spacy_selectra.finetuning.finetune import Finetuning
from spacy_selectra.util.settings import parse_settings
from tests.finetuning.tiny import nli_rows, save_discriminator, write_jsonl


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
