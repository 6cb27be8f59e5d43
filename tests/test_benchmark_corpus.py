"""The benchmarks of corpora run, on a few documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmark import record, rows, run
from tests.corpus.conftest import spanish_texts


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    (tmp_path / "corpus.txt").write_text("\n\n".join(spanish_texts(300)), encoding="utf-8")
    return str(tmp_path / "corpus.txt")


def test_duplicates(corpus: str):
    printed = run("duplicates.py", corpus, "--planted", "0.2", "--engines", "local")
    found = record(printed)
    assert found["documents"] == 360
    assert rows(printed)[0] == "1"
    assert found["groups"][0][2] == 1.0
    assert found["same"] == {"local": True}


def test_scale(corpus: str):
    printed = run("scale.py", corpus, "--sizes", "100", "200", "--vocabulary", "120")
    steps = ["clean", "dedup", "dedup paragraphs", "vocabulary", "pack"]
    assert rows(printed)[:2] == ["100", "200"]
    assert list(record(printed)["plan"]) == steps


def test_streaming():
    printed = run("streaming.py", "--documents", "60", "--shards", "3")
    assert record(printed)["documents"] == 60
    assert record(printed)["same"]
    assert len(rows(printed)) == 10
