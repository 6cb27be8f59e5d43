from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.config import EncoderSettings, FinetuneSettings, read_settings
from spacy_selectra.finetuning.finetune import Finetuning, Interrupted
from spacy_selectra.finetuning.tasks.registry import task_spec
from spacy_selectra.text.tokenizer import declare_longest_sequence
from spacy_selectra.util.files import read_json
from spacy_selectra.util.settings import parse_settings
from tests.finetuning.tiny import nli_rows, save_discriminator, write_jsonl

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Encoder and data of all tests in this module."""
    root = tmp_path_factory.mktemp("finetuning")
    save_discriminator(root / "discriminator")
    for seed, (split, count) in enumerate([("train", 240), ("dev", 60), ("test", 60)]):
        write_jsonl(root / f"{split}.jsonl", nli_rows(count, seed))
    return root


def settings(files: Path, **training: Any) -> FinetuneSettings:
    values = {
        "task": {"name": "nli"},
        "data": {
            "name": "sample",
            **{s: str(files / f"{s}.jsonl") for s in ("train", "dev", "test")},
        },
        "encoder": {"path": str(files / "discriminator")},
        "training": {"epochs": 1, "precision": "fp32", **training},
    }
    return parse_settings(FinetuneSettings, values, "test")


def run(chosen: FinetuneSettings, out: Path, trials: int = 1, **stop: Any) -> dict[str, Any]:
    said: list[str] = []
    result = Finetuning(chosen, out, warn=said.append, quiet=True).run(trials, **stop)
    assert result["words_per_second"] is None or result["words_per_second"] > 0
    return {**result, "words_per_second": None, "warnings": said}  # time is never the same


def test_learns_and_writes_what_the_contract_says(files: Path, tmp_path: Path):
    chosen = settings(files, epochs=6, learning_rate=3e-3, layer_decay=0.9, batch_size=16)
    metrics = run(chosen, tmp_path / "out")
    assert 0 <= metrics["mean"] <= 1
    assert metrics["std"] is None
    assert metrics["labels"] == ["contradiction", "neutral", "entailment"]
    assert metrics["examples"] == {"train": 240, "dev": 60, "test": 60}
    assert {"data", "encoder"} == set(metrics["fingerprints"])
    assert metrics["hyper_parameters"]["learning_rate"] == 3e-3
    rows = (tmp_path / "out" / "trial-1" / "log.jsonl").read_text().splitlines()
    epochs = [json.loads(row) for row in rows]
    assert len(epochs) == 6
    assert epochs[-1]["loss"] < epochs[0]["loss"]
    best = max(epochs, key=lambda row: row["dev"]["accuracy"])
    assert metrics["trials"][0]["dev"] == best["dev"]
    assert metrics["trials"][0]["best_epoch"] == best["epoch"]


def test_same_seed_same_metrics_and_trials_differ(files: Path, tmp_path: Path):
    chosen = settings(files, learning_rate=3e-3)
    first, second = run(chosen, tmp_path / "a", 2), run(chosen, tmp_path / "b", 2)
    assert first == second
    weights = [tmp_path / "a" / f"trial-{k}" / "model" / "model.safetensors" for k in (1, 2)]
    assert weights[0].read_bytes() != weights[1].read_bytes()
    scores = [trial["test"]["accuracy"] for trial in first["trials"]]
    assert first["mean"] == pytest.approx(sum(scores) / 2)
    assert first["std"] == pytest.approx(abs(scores[0] - scores[1]) / 2**0.5)


def test_best_is_the_trial_with_the_best_development_score(files: Path, tmp_path: Path):
    metrics = run(settings(files, learning_rate=3e-3), tmp_path / "out", 3)
    dev = [trial["dev"]["accuracy"] for trial in metrics["trials"]]
    assert metrics["best_trial"] == dev.index(max(dev)) + 1
    source = tmp_path / "out" / f"trial-{metrics['best_trial']}" / "model"
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        assert (tmp_path / "out" / "best" / name).read_bytes() == (source / name).read_bytes()


def test_interrupted_in_the_second_trial_continues_with_it(files: Path, tmp_path: Path):
    chosen, steps = settings(files), iter(range(100))
    with pytest.raises(Interrupted):
        run(chosen, tmp_path / "out", 3, should_stop=lambda: next(steps) == 11)  # 8 steps a trial
    assert [trial["trial"] for trial in read_json(tmp_path / "out" / "metrics.json")["trials"]] == [
        1
    ]
    assert not (tmp_path / "out" / "trial-2").exists()
    kept = (tmp_path / "out" / "trial-1" / "metrics.json").stat().st_mtime_ns
    resumed = run(chosen, tmp_path / "out", 3)
    assert (tmp_path / "out" / "trial-1" / "metrics.json").stat().st_mtime_ns == kept
    assert resumed == run(chosen, tmp_path / "whole", 3)


def test_refuses_trials_of_another_configuration(files: Path, tmp_path: Path):
    run(settings(files), tmp_path / "out")
    with pytest.raises(SelectraError, match="trial-1: a trial with other settings"):
        run(settings(files, learning_rate=2e-4), tmp_path / "out")


def test_without_test_data_the_development_score_is_reported_as_such(files: Path, tmp_path: Path):
    chosen = settings(files)
    data = chosen.data.model_copy(update={"test": None})
    metrics = run(chosen.model_copy(update={"data": data}), tmp_path / "out")
    assert metrics["split"] == "dev"
    assert metrics["trials"][0]["test"] is None


def test_warns_when_every_example_gets_one_class(files: Path, tmp_path: Path):
    rows = nli_rows(60, seed=5)
    same = [{**row, "premise": rows[0]["premise"], "hypothesis": "El"} for row in rows]
    path = write_jsonl(tmp_path / "same.jsonl", same)
    chosen = settings(files)
    data = chosen.data.model_copy(update={"dev": str(path)})
    metrics = run(chosen.model_copy(update={"data": data}), tmp_path / "one")
    assert metrics["trials"][0]["collapsed"]
    assert "for all 60 development examples" in metrics["warnings"][0]


def test_announces_truncation(files: Path, tmp_path: Path):
    metrics = run(settings(files, max_length=8), tmp_path / "out")
    assert (
        "train: 240 of 240 examples are longer than 8 pieces and were truncated"
        in metrics["warnings"]
    )


def test_reads_no_further_than_the_encoder_was_trained(files: Path, tmp_path: Path):
    shutil.copytree(files / "discriminator", tmp_path / "encoder")
    declare_longest_sequence(tmp_path / "encoder", 8)
    encoder = EncoderSettings(path=str(tmp_path / "encoder"))
    short = settings(files).model_copy(update={"encoder": encoder})
    found, cut = run(short, tmp_path / "a"), run(settings(files, max_length=8), tmp_path / "b")
    assert found["trials"] == cut["trials"]
    assert found["warnings"] == cut["warnings"] != []
    assert found["trials"] != run(settings(files), tmp_path / "c")["trials"]


def test_missing_encoder_and_wrong_device(files: Path, tmp_path: Path):
    chosen = settings(files)
    missing = chosen.model_copy(update={"encoder": type(chosen.encoder)(path="./nowhere/at/all")})
    with pytest.raises(SelectraError, match="no such model directory"):
        run(missing, tmp_path / "out")
    with pytest.raises(SelectraError, match="device 'abacus' is not available"):
        run(settings(files, device="abacus"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("finetune_*.cfg")), ids=lambda p: p.stem)
def test_shipped_configurations_are_valid(path: Path):
    chosen = read_settings(path, {"training.epochs": 2, "distillation.weight": 0.25})
    assert task_spec(chosen.task.name).columns
    assert chosen.training.epochs == 2
    assert chosen.distillation.weight == 0.25


def test_unknown_key(files: Path):
    with pytest.raises(SelectraError, match=r"training\.epoch.*did you mean 'epochs'"):
        settings(files, epoch=3)
