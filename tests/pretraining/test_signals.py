"""Ctrl-C and SIGTERM, sent to the real command."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from tests.pretraining.conftest import Data
from tests.processes import run_and_signal

# Exit status of a run that was stopped on request and can go on.
STOPPED = 0
STEPS = 40
ROWS, LOG_EVERY = 5, 2


def command(data: Data, output: Path) -> list[str]:
    options = [f"--training.max_steps={STEPS}", "--training.checkpoint_every", "1000"]
    return ["pretrain", str(data.config), str(output), "--quiet", *options]


def assert_same_weights(one: Path, other: Path) -> None:
    for name in ("discriminator", "generator"):
        expected = load_file(one / name / "model.safetensors")
        found = load_file(other / name / "model.safetensors")
        assert found.keys() == expected.keys()
        for key, tensor in expected.items():
            assert torch.equal(found[key], tensor), f"{name} {key}"


@pytest.fixture(scope="module")
def clean(data: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("signals") / "clean"
    result = CliRunner().invoke(app, command(data, output))
    assert result.exit_code == 0, result.output
    return output


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_to_stop_loses_no_step(data, clean, tmp_path, number):
    output = tmp_path / "run"
    done = run_and_signal(command(data, output), number, "log.jsonl", ROWS)
    assert done.returncode == STOPPED, done.stderr
    assert "Traceback" not in done.stderr
    step = int(re.findall(r"stopped after (\d+) steps", done.stdout)[0])
    # at once: rows are written a step or two after their own
    assert ROWS * LOG_EVERY <= step <= ROWS * LOG_EVERY + 3
    # no checkpoint was due: this one was written because of the signal
    assert (output / f"checkpoint-{step}" / "state.json").is_file()
    assert not list(output.glob(".*"))
    assert not (output / "discriminator").exists()

    result = CliRunner().invoke(app, command(data, output))
    assert result.exit_code == 0, result.output
    assert "checkpoint skipped" not in result.stderr
    assert_same_weights(clean, output)


@pytest.mark.slow
def test_a_signal_in_start_up_leaves_nothing_in_the_way(data, clean, tmp_path):
    output = tmp_path / "run"
    done = run_and_signal(command(data, output), signal.SIGTERM, "run.json")
    assert done.returncode == STOPPED, done.stderr
    assert not (output / "discriminator").exists()
    result = CliRunner().invoke(app, command(data, output))
    assert result.exit_code == 0, result.output
    assert_same_weights(clean, output)
