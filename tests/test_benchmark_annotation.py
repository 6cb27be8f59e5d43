"""The benchmark of `annotate` runs, kills among its work."""

from __future__ import annotations

from pathlib import Path

import pytest
import spacy

from tests.benchmark import record, run


@pytest.mark.slow
def test_annotation(tmp_path: Path):
    nlp = spacy.blank("es")
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "pipeline")
    printed = run(
        "annotation.py",
        *(str(tmp_path / "pipeline"), "--documents", "3000", "--ways", "local 1", "--kills", "1"),
    )
    found = record(printed)
    assert found["same_output"]
    assert found["kills"] in (0, 1)  # a fast machine may be done before
    assert found["local 1"]["seconds"] > 0
