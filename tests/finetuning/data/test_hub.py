"""Data sets of the hub, here directories laid out like one; the network is never asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.config import DataSettings
from spacy_selectra.finetuning.data import sources as hub_module
from spacy_selectra.finetuning.data.dataset import (
    Dataset,
    Example,
    Question,
    TaggedWords,
    read_dataset,
)
from spacy_selectra.finetuning.tasks.registry import TASKS, TaskSpec

NLI_NAMES = ["entailment", "neutral", "contradiction"]  # the order of XNLI on the hub


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def save(directory: Path, columns: dict[str, list[Any]], kinds: dict[str, Any], *splits: str):
    """The same rows as parquet files of each split, with the kinds of their columns."""
    directory.mkdir(parents=True, exist_ok=True)
    for split in splits:
        rows = datasets.Dataset.from_dict(columns, features=datasets.Features(kinds))
        rows.to_parquet(directory / f"{split}-00000-of-00001.parquet")
    return str(directory)


def load(spec: str | TaskSpec, hub: str, **settings: Any) -> Dataset:
    values = {"name": "x", "hub": hub, "train": "train", "dev": "validation", **settings}
    chosen = TASKS[spec] if isinstance(spec, str) else spec
    return read_dataset(chosen, DataSettings.model_validate(values))


TEXT = datasets.Value("string")


def nli(directory: Path, classes: list[int], *splits: str) -> str:
    columns = {
        "premise": [f"p{number}" for number in range(len(classes))],
        "hypothesis": ["h"] * len(classes),
        "label": classes,
    }
    label = datasets.ClassLabel(names=NLI_NAMES)
    kinds = {"premise": TEXT, "hypothesis": TEXT, "label": label}
    return save(directory, columns, kinds, *splits)


def test_numbers_of_classes_become_names(tmp_path: Path):
    hub = nli(tmp_path / "xnli", [0, 1, 2, 0], "train", "validation", "test")
    data = load("nli", hub, test="test")
    assert data.labels == ["contradiction", "neutral", "entailment"]
    assert data.train[0] == Example("p0", "h", "entailment")
    assert data.dev[2] == Example("p2", "h", "contradiction")
    assert len(data.test) == 4


def test_slices_and_lists_of_splits(tmp_path: Path):
    hub = nli(tmp_path / "xnli", [0, 1, 2, 0], "train", "validation")
    data = load("nli", hub, train=["train[:3]", "validation[3:]"])
    assert [example.text for example in data.train] == ["p0", "p1", "p2", "p3"]


def test_rows_marked_as_unlabelled_are_left_out(tmp_path: Path):
    hub = nli(tmp_path / "some", [0, -1, 1, 2], "train", "validation")
    assert [example.text for example in load("nli", hub).train] == ["p0", "p2", "p3"]
    nli(tmp_path / "some", [-1, -1], "test")
    with pytest.raises(SelectraError, match=r"test: no example in .*some, test"):
        load("nli", hub, test="test")


def test_numbers_without_names_mean_what_the_task_says(tmp_path: Path):
    columns = {"sentence1": ["a", "b"], "sentence2": ["c", "d"], "label": [1, 0]}
    kinds = {"sentence1": TEXT, "sentence2": TEXT, "label": datasets.Value("int64")}
    hub = save(tmp_path / "pawsx", columns, kinds, "train", "validation")
    assert load("pawsx", hub).train[0] == Example("a", "c", "paraphrase")


def test_lists_of_classes_become_names_of_tags(tmp_path: Path):
    tag = datasets.ClassLabel(names=["O", "B-PER", "I-PER"])
    kinds = {"tokens": datasets.Sequence(TEXT), "ner_tags": datasets.Sequence(tag)}
    columns = {"tokens": [["Ana", "Ruiz", "va"], []], "ner_tags": [[1, 2, 0], []]}
    hub = save(tmp_path / "conll", columns, kinds, "train", "validation")
    data = load("ner", hub)
    assert data.labels == ["PER"]
    assert data.train == [TaggedWords(["Ana", "Ruiz", "va"], ["B-PER", "I-PER", "O"])]


def test_questions(tmp_path: Path):
    kinds = {
        "id": TEXT,
        "context": TEXT,
        "question": TEXT,
        "answers": {
            "text": datasets.Sequence(TEXT),
            "answer_start": datasets.Sequence(datasets.Value("int32")),
        },
    }
    columns = {
        "id": ["1", "2"],
        "context": ["Está en España."] * 2,
        "question": ["¿Dónde?", "¿Quién?"],
        "answers": [
            {"text": ["España"], "answer_start": [8]},
            {"text": [], "answer_start": []},
        ],
    }
    hub = save(tmp_path / "squad", columns, kinds, "train", "validation")
    assert load("qa", hub).train == [
        Question("1", "Está en España.", "¿Dónde?", [("España", 8)]),
        Question("2", "Está en España.", "¿Quién?", []),
    ]


def test_json_files(tmp_path: Path):
    for split in ("train", "validation"):
        path = tmp_path / "topics" / f"{split}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            '{"text": "Gol", "category": "deporte"}\n{"text": "Mar", "category": "viajes"}\n',
            encoding="utf-8",
        )
    assert load("topics", str(tmp_path / "topics")).labels == ["deporte", "viajes"]


def test_problems_name_the_data_set_and_the_row(tmp_path: Path):
    hub = nli(tmp_path / "xnli", [0, 1, 2], "train", "validation")
    with pytest.raises(SelectraError, match=r"xnli, dev: cannot be read .*dev"):
        load("nli", hub, dev="dev")
    with pytest.raises(SelectraError, match=r"xnli, train: missing column for task 'ner'"):
        load("ner", hub)
    columns = {"sentence1": ["a", "b"], "sentence2": ["c", "d"], "score": [1.0, 9.0]}
    kinds = {"sentence1": TEXT, "sentence2": TEXT, "score": datasets.Value("float64")}
    sts = save(tmp_path / "sts", columns, kinds, "train", "validation")
    with pytest.raises(SelectraError, match=r"sts, train, row 1: 9\.0 in column 'score' is not"):
        load("sts_es", sts)


def test_missing_data_set():
    with pytest.raises(SelectraError, match=r"nobody/nothing \(es\), train: cannot be read") as one:
        load("nli", "nobody/nothing", hub_config="es")
    assert "\n" not in str(one.value)


def test_published_splits_are_those_of_the_table(monkeypatch: pytest.MonkeyPatch):
    asked: list[tuple[Any, ...]] = []

    def rows(*arguments: Any):
        asked.append(arguments)
        for label in NLI_NAMES:
            yield "row", {"premise": "p", "hypothesis": "h", "label": label}

    monkeypatch.setattr("spacy_selectra.finetuning.data.dataset.hub_rows", rows)
    data = DataSettings(name="xnli", hub="facebook/xnli", hub_revision="main")
    assert len(read_dataset(TASKS["xnli"], data).test) == 3
    assert asked == [
        ("facebook/xnli", "es", "main", "train"),
        ("facebook/xnli", "es", "main", "validation"),
        ("facebook/xnli", "es", "main", "test"),
    ]


def test_other_data_sets_need_names_of_splits():
    with pytest.raises(SelectraError, match=r"data\.train is not set; give a split of"):
        read_dataset(TASKS["xnli"], DataSettings(name="x", hub="somebody/xnli"))
    with pytest.raises(SelectraError, match=r"data\.train is not set; give a split of"):
        read_dataset(TASKS["xquad"], DataSettings(name="x", hub="google/xquad"))


def test_code_of_data_sets_is_never_run(tmp_path: Path):
    directory = tmp_path / "script"
    directory.mkdir()
    (directory / "script.py").write_text("raise SystemExit('run')\n", encoding="utf-8")
    with pytest.raises(SelectraError, match="script, train: cannot be read"):
        list(hub_module.hub_rows(str(directory), None, None, "train"))
