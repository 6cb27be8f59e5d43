"""Runs that are killed, at random moments and at those that are hard to hit by chance."""

from __future__ import annotations

import importlib
import json
import runpy
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from tests.processes import run

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
KILLS, STEPS = 5, 30


def benchmark(options: list[str]) -> None:
    script = BENCHMARKS / "kills.py"
    sys.path.insert(0, str(BENCHMARKS))
    sys.argv = [str(script), *options]
    runpy.run_path(str(script), run_name="__main__")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the benchmark leaves: configuration, a clean run, a killed one, its output."""
    directory = tmp_path_factory.mktemp("kills") / "work"
    options = ["--kills", str(KILLS), "--steps", str(STEPS), "--checkpoint-every", "5"]
    done = run(benchmark, [*options, "--workdir", str(directory)])
    (directory / "result.json").write_text(json.dumps([done.returncode, done.stdout, done.stderr]))
    return directory


@pytest.fixture
def kills(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("kills")


@pytest.fixture
def again(measured: Path, tmp_path: Path, kills: ModuleType):
    """Gives the command to an output directory; returns what then differs from the clean run."""

    def run(output: Path) -> list[str]:
        arguments = ["pretrain", str(measured / "pretrain.cfg"), str(output), "--quiet"]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
        return kills.differences(measured / "clean", output)[0]

    return run


@pytest.fixture
def copy(measured: Path, tmp_path: Path) -> Path:
    shutil.copytree(measured / "clean", tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.slow
def test_random_kills_end_in_the_run_without_any(measured):
    status, printed, problems = json.loads((measured / "result.json").read_text())
    assert status == 0, printed + problems
    row = json.loads(printed.splitlines()[-1])
    assert row["kills"] == sum(row["phases"].values()) == KILLS
    assert row["starts"] > KILLS
    assert row["identical"]
    assert row["tensors"] > 100


def test_one_bit_of_difference_is_found(copy, measured, kills):
    assert kills.differences(measured / "clean", copy)[0] == []
    for name in (f"checkpoint-{STEPS}/optimizer.safetensors", "generator/model.safetensors"):
        content = bytearray((copy / name).read_bytes())
        content[-1] ^= 1
        (copy / name).write_bytes(content)
    (copy / "log.jsonl").write_text((copy / "log.jsonl").read_text().replace("0.0", "0.1", 1))
    found = kills.differences(measured / "clean", copy)[0]
    assert len(found) == 3, found


def test_killed_before_the_first_checkpoint(measured, tmp_path, again):
    (tmp_path / "run").mkdir()
    shutil.copy(measured / "clean" / "run.json", tmp_path / "run")
    assert again(tmp_path / "run") == []


def test_killed_before_the_generator_was_exported(copy, again):
    shutil.rmtree(copy / "generator")
    (copy / ".generator.tmp-123").mkdir()
    assert again(copy) == []
    assert not list(copy.glob(".*"))


def test_killed_while_an_old_checkpoint_was_deleted(copy, again):
    older = min(copy.glob("checkpoint-*"), key=lambda path: int(path.name[11:]))
    (older / "state.json").unlink()
    assert again(copy) == []


def test_killed_in_the_middle_of_a_row_of_the_log(copy, again):
    for name in (f"checkpoint-{STEPS}", "discriminator", "generator"):
        shutil.rmtree(copy / name)
    lines = (copy / "log.jsonl").read_text().splitlines(keepends=True)
    (copy / "log.jsonl").write_text("".join(lines[:-1]) + lines[-1][:20])
    assert again(copy) == []


def test_the_command_again_changes_nothing(copy, again):
    assert again(copy) == []
    assert again(copy) == []
