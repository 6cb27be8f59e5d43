from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spacy_selectra.errors import SelectraError
from spacy_selectra.files import write_json
from spacy_selectra.finetuning.report import collect, markdown, published_for


def write(directory: Path, **changes: Any) -> None:
    metrics = {
        "data": "xnli",
        "encoder": "ours",
        "parameters": 5_400_000,
        "metric": "accuracy",
        "split": "test",
        "mean": 0.61234,
        "std": 0.01,
        "trials": [{}, {}],
    }
    write_json(directory / "metrics.json", {**metrics, **changes})
    write_json(directory / "trial-1" / "metrics.json", {"trial": 1})


def test_table_of_models_and_tasks_with_published_figures(tmp_path: Path):
    write(tmp_path / "a")
    write(tmp_path / "b", data="sample", mean=0.9, std=None, split="dev")
    write(tmp_path / "c", encoder="other", mean=0.7)
    results = collect([tmp_path])
    table = markdown([*results, *published_for(results)]).splitlines()
    assert table[:4] == [
        "| model | parameters | sample accuracy (dev) | xnli accuracy |",
        "|---|---|---|---|",
        "| ours | 5 M | 0.900 | 0.612 ± 0.010 |",
        "| other | 5 M |  | 0.700 ± 0.010 |",
    ]
    assert "| SELECTRA medium (published) | 41 M |  | 0.804 ± 0.002 |" in table
    assert len(table) == 4 + 8  # nothing published on the sample


def test_two_results_for_one_cell(tmp_path: Path):
    write(tmp_path / "a")
    write(tmp_path / "b")
    with pytest.raises(SelectraError, match="a second result of ours on xnli accuracy"):
        collect([tmp_path])


def test_nothing_there_and_foreign_files(tmp_path: Path):
    with pytest.raises(SelectraError, match=r"no metrics\.json"):
        collect([tmp_path])
    write_json(tmp_path / "metrics.json", {"mean": 1.0})
    with pytest.raises(SelectraError, match="not written by finetune"):
        collect([tmp_path])
