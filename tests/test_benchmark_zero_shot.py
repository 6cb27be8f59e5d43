"""The benchmark of zero-shot classification runs and compares scores."""

from __future__ import annotations

from pathlib import Path

import pytest

from spacy_selectra.matching.storage import save_matching
from spacy_selectra.matching.train import MatchingSettings, train_matching
from spacy_selectra.matching.word_vectors import train_vectors
from tests.benchmark import record, run
from tests.finetuning.tiny import save_classifier
from tests.matching.conftest import SMALL


@pytest.mark.slow
def test_zero_shot(tmp_path: Path):
    model = save_classifier(tmp_path / "model")
    names = ["transformers", "ours fast", "matching"]
    words = "deportes política el gol la ley en un equipo y con que por"
    vectors = train_vectors([words] * 30, SMALL, quiet=True)
    pairs = {"a": [("el gol del equipo", "deportes"), ("la ley", "política")] * 20}
    matcher = train_matching(vectors, pairs, MatchingSettings(steps=2), quiet=True)
    save_matching(matcher, tmp_path / "matching")
    printed = run(
        "zero_shot.py",
        *(
            "--model",
            str(model),
            "--matching",
            str(tmp_path / "matching"),
            "--only",
            *names,
            "--documents",
            "4",
            "--peer-documents",
            "3",
        ),
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
    theirs, ours, matching = rows.values()
    assert matching["difference"] is None
    assert matching["ratio"] > 1
    assert theirs["tried"].keys() == {"1", "2"}
    assert theirs["batch"] == int(max(theirs["tried"], key=theirs["tried"].__getitem__))
    assert ours["ratio"] == ours["documents_per_second"] / theirs["documents_per_second"]
    assert theirs["difference"] == 0 <= ours["difference"] < 1e-4
