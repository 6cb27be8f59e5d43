"""The benchmark of the repair runs; what it measures is for whoever starts it."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "accent_repair.py"


@pytest.fixture(autouse=True)
def leave_torch_as_it_was():
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    yield
    torch.set_num_threads(threads)
    torch.set_rng_state(state)


def test_accent_repair(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    sizes = {"steps": 3, "row-steps": 2, "vocabulary": 400, "documents": 60, "sequences": 16}
    options = [part for name, value in sizes.items() for part in (f"--{name}", str(value))]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *options])
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    runpy.run_path(str(SCRIPT), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split(" | ")[0].strip("| ") for line in lines if line.startswith("|")][2:]
    assert rows[:2] == ["without the mistake", "with the mistake"]
    assert rows[-1] == "with the mistake, text without accents"
    summary = json.loads(lines[-1])
    assert list(summary["pairs"]) == rows
    assert summary["detection"]["untrained"] > 0
