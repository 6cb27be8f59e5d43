from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from tests.finetuning.tiny import nli_rows, save_discriminator, write_jsonl
from tests.processes import run_and_signal

CONFIG = Path(__file__).parents[2] / "configs" / "finetune_nli.cfg"


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    save_discriminator(tmp_path / "discriminator")
    overrides = {
        "encoder.path": tmp_path / "discriminator",
        "training.epochs": 1,
        "data.name": "sample",
    }
    for seed, split in enumerate(["train", "dev", "test"]):
        overrides[f"data.{split}"] = write_jsonl(tmp_path / f"{split}.jsonl", nli_rows(60, seed))
    pairs = [part for name, value in overrides.items() for part in (f"--{name}", str(value))]
    return ["finetune", str(CONFIG), str(tmp_path / "out"), *pairs]


def test_trials_then_report(arguments: list[str], tmp_path: Path):
    result = CliRunner().invoke(app, [*arguments, "--trials", "2", "--quiet"])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("trial 1: test accuracy 0.")
    assert lines[-1].startswith("nli on sample: accuracy 0.")
    assert " ± " in lines[-1]
    written = json.loads((tmp_path / "out" / "metrics.json").read_text())
    again = CliRunner().invoke(app, [*arguments, "--trials", "2", "--json"])
    assert json.loads(again.stdout) == written
    table = CliRunner().invoke(app, ["report", str(tmp_path / "out")])
    header = "| model | parameters | size (MB) | words/s | sample accuracy |"
    assert table.stdout.splitlines()[0] == header
    assert table.stdout.splitlines()[2].startswith(f"| {tmp_path / 'discriminator'} |")
    named = [*arguments, "--encoder.name", "la mía", "--trials", "2", "--quiet"]
    assert CliRunner().invoke(app, named).exit_code == 0  # no trial is run again for that
    table = CliRunner().invoke(app, ["report", str(tmp_path / "out")])
    assert table.stdout.splitlines()[2].startswith("| la mía |")
    cells = CliRunner().invoke(app, ["report", str(tmp_path / "out"), "--json"])
    assert json.loads(cells.stdout)[0]["trials"] == 2
    teacher = str(tmp_path / "out" / "best")
    taught = [*arguments[:2], str(tmp_path / "taught"), *arguments[3:], "--teacher", teacher]
    result = CliRunner().invoke(app, [*taught, "--trials", "1", "--json", "--quiet"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["teacher"] == teacher


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--training.epoch", "3"], "did you mean 'epochs'"),
        (["--task.name", "nil"], "no task 'nil'"),
        (["--data.dev", "nowhere.jsonl"], "nowhere.jsonl: no such file"),
        (["epochs=3"], "unexpected argument 'epochs=3'"),
    ],
)
def test_one_line_for_a_mistake(arguments: list[str], extra: list[str], message: str):
    result = CliRunner().invoke(app, [*arguments, *extra])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_sigterm_keeps_finished_trials(arguments: list[str], tmp_path: Path):
    out = tmp_path / "out"
    command = [*arguments, "--trials", "5", "--quiet"]
    done = run_and_signal(command, signal.SIGTERM, "metrics.json")
    assert done.returncode == 1
    assert "stopped: finished trials are kept" in done.stderr
    assert "Traceback" not in done.stderr
    trials = json.loads((out / "metrics.json").read_text())["trials"]
    assert len(trials) == 1
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
