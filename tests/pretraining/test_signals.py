"""Ctrl-C and SIGTERM, sent to the real command."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from tests.pretraining.conftest import Data

# Exit status of a run that was stopped on request and can go on.
STOPPED = 0
STEPS = 100
# A step takes milliseconds, a checkpoint too; the rest is the end of the process.
PROMPT_SECONDS = 10.0


def command(data: Data, output: Path) -> list[str]:
    options = [f"--training.max_steps={STEPS}", "--training.checkpoint_every", "1000"]
    return ["pretrain", str(data.config), str(output), "--quiet", *options]


@contextmanager
def started(arguments: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "spacy_selectra", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(path: Path, lines: int) -> None:
    for _ in range(6000):
        if path.is_file() and path.read_bytes().count(b"\n") >= lines:
            return
        time.sleep(0.01)
    raise AssertionError(f"{path} did not get {lines} lines")


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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_to_stop_loses_no_step(data, clean, tmp_path, number):
    output = tmp_path / "run"
    with started(command(data, output)) as process:
        wait_for(output / "log.jsonl", 5)
        process.send_signal(number)
        asked = time.monotonic()
        printed, problems = process.communicate(timeout=60)
        assert time.monotonic() - asked < PROMPT_SECONDS
    assert process.returncode == STOPPED, problems
    assert "Traceback" not in problems
    step = int(re.findall(r"stopped after (\d+) steps", printed)[0])
    assert 10 <= step < STEPS
    # no checkpoint was due: this one was written because of the signal
    assert (output / f"checkpoint-{step}" / "state.json").is_file()
    assert not list(output.glob(".*"))
    assert not (output / "discriminator").exists()

    result = CliRunner().invoke(app, command(data, output))
    assert result.exit_code == 0, result.output
    assert "passed over" not in result.stderr
    assert_same_weights(clean, output)


def test_a_signal_in_start_up_leaves_nothing_in_the_way(data, clean, tmp_path):
    output = tmp_path / "run"
    with started(command(data, output)) as process:
        wait_for(output / "run.json", 1)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == STOPPED
    assert not (output / "discriminator").exists()
    result = CliRunner().invoke(app, command(data, output))
    assert result.exit_code == 0, result.output
    assert_same_weights(clean, output)
