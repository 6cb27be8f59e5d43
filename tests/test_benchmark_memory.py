"""The memory benchmark runs and counts something plausible."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.finetuning.tiny import save_discriminator

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_memory(tmp_path: Path):
    encoder = save_discriminator(tmp_path / "encoder")
    names = ["transformer", "transformer, ner"]
    done = subprocess.run(
        [
            sys.executable,
            str(BENCHMARKS / "memory.py"),
            *("--encoder", str(encoder), "--characters", "20000"),
            *("--documents", "10", "--threads", "1", "--only", *names),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(BENCHMARKS.parent)},
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines if line.startswith("|")][2:] == names
    for row in json.loads(lines[-1])["cases"].values():
        document = row["document"]
        assert document["result"] >= document["pieces"] * 32 * 4
        assert document["tokens"] > 3000
        assert document["peak"] >= document["kept"]
