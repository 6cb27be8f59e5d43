"""The benchmark of zero-shot classification runs and compares scores."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmark import record, run
from tests.finetuning.tiny import save_classifier


@pytest.mark.slow
def test_zero_shot(tmp_path: Path):
    model = save_classifier(tmp_path / "model")
    names = ["transformers", "ours fast"]
    printed = run(
        "zero_shot.py",
        *("--model", str(model), "--only", *names, "--documents", "4", "--peer-documents", "3"),
        *("--labels", "2", "--words", "5", "--batches", "1", "2", "--threads", "1"),
        *("--warm-up", "0", "--repeats", "2"),
    )
    assert "transformers' pipeline reads the first 3 documents only" in printed
    found = record(printed)
    rows = found["contenders"]
    assert list(rows) == names
    assert found["labels"] == ["deportes", "política"]
    for row in rows.values():
        assert 0 < row["slowest"] <= row["documents_per_second"] <= row["fastest"]
    theirs, ours = rows.values()
    assert theirs["tried"].keys() == {"1", "2"}
    assert theirs["batch"] == int(max(theirs["tried"], key=theirs["tried"].__getitem__))
    assert ours["ratio"] == ours["documents_per_second"] / theirs["documents_per_second"]
    assert theirs["difference"] == 0 <= ours["difference"] < 1e-4
