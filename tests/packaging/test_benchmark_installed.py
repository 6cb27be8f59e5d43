"""The comparison of installed pipelines runs; what it measures is for whoever starts it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import spacy

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "installed.py"


@pytest.mark.slow
def test_installed(pipeline, parts, tmp_path):
    blank = spacy.blank("es")
    blank.add_pipe("entity_ruler", name="ner")
    blank.to_disk(tmp_path / "blank")
    command = [str(pipeline), f"rules={tmp_path / 'blank'}", "--documents", "3", "--repeats", "1"]
    done = subprocess.run(
        [
            *(sys.executable, str(SCRIPT), *command),
            *("--threads", "1", "--stock", str(parts["discriminator"])),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout.splitlines()[-1])["contenders"]
    assert {name: row["components"] for name, row in rows.items()} == {
        f"{pipeline.name}, entities": ["transformer", "ner"],
        f"{pipeline.name}, whole": ["transformer", "ner", "textcat", "zero_shot", "replaced"],
        "rules, entities": ["ner"],
        "spacy-transformers, entities": ["transformer", "ner"],
    }
    assert all(row["words_per_second"] > 0 for row in rows.values())
    assert rows["rules, entities"]["entities"] == 0
