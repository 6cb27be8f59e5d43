"""The memory benchmark runs and counts something plausible."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmark import record, rows, run
from tests.finetuning.tiny import save_discriminator


@pytest.mark.slow
def test_memory(tmp_path: Path):
    encoder = save_discriminator(tmp_path / "encoder")
    names = ["transformer", "transformer, ner"]
    printed = run(
        "memory.py",
        *("--encoder", str(encoder), "--characters", "20000"),
        *("--documents", "10", "--threads", "1", "--only", *names),
    )
    assert rows(printed) == names
    for row in record(printed)["cases"].values():
        document = row["document"]
        assert document["result"] >= document["pieces"] * 32 * 4
        assert document["tokens"] > 3000
        assert document["peak"] >= document["kept"]
