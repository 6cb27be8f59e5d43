"""The comparison of installed pipelines runs; what it measures is for whoever starts it."""

from __future__ import annotations

import pytest
import spacy

from tests.benchmark import record, run


@pytest.mark.slow
def test_installed(pipeline, parts, tmp_path):
    blank = spacy.blank("es")
    blank.add_pipe("entity_ruler", name="ner")
    blank.to_disk(tmp_path / "blank")
    command = [str(pipeline), f"rules={tmp_path / 'blank'}", "--documents", "3", "--repeats", "1"]
    stock = ["--threads", "1", "--stock", str(parts["discriminator"])]
    rows = record(run("installed.py", *command, *stock))["contenders"]
    assert {name: row["components"] for name, row in rows.items()} == {
        f"{pipeline.name}, entities": ["transformer", "ner"],
        f"{pipeline.name}, whole": ["transformer", "ner", "textcat", "zero_shot", "replaced"],
        "rules, entities": ["ner"],
        "spacy-transformers, entities": ["transformer", "ner"],
    }
    assert all(row["words_per_second"] > 0 for row in rows.values())
    assert rows["rules, entities"]["entities"] == 0
    whole = rows[f"{pipeline.name}, whole"]
    assert whole["peak_mib"] >= whole["loaded_mib"] > rows["rules, entities"]["loaded_mib"]


@pytest.mark.slow
def test_busy(pipeline):
    ways = ["GOMP_SPINCOUNT=100", "one thread"]
    command = [str(pipeline), "--documents", "2", "--repeats", "1", "--busy", "0", "1"]
    found = record(run("busy.py", *command, "--threads", "1", "--only", *ways))
    assert list(found["words_per_second"]) == ways
    for rates in found["words_per_second"].values():
        assert list(rates) == ["0", "1"]
        assert all(rate > 0 for each in rates.values() for rate in each)
    assert found["processor"]["cores"] >= 1
