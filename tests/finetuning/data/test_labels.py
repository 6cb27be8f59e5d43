"""Names of labels are read in one way wherever they stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy

from spacy_selectra.components.corpora.labelled import conll_reader, pairs_reader, text_reader
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.config import DataSettings
from spacy_selectra.finetuning.data.dataset import read_dataset, read_split
from spacy_selectra.finetuning.data.labelled_texts import read_labelled
from spacy_selectra.finetuning.data.labels import label_name
from spacy_selectra.finetuning.tasks.registry import TASKS

NLP = spacy.blank("es")
ODD = [" política", "política ", "política\u00a0", "poli\u0301tica", "\ufeffpolítica\u200b"]
ODD += [
    "pol\u00adítica",
    "polí\u200btica",
    "\u200fpolítica\u200e",
    "política\u200c",
    "polí\x00tica",
]


@pytest.mark.parametrize("name", ODD)
def test_one_name_however_it_is_typed(name: str):
    assert label_name(name, "a") == "política"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("ciencia \n y  técnica", "ciencia y técnica"),
        (1, "1"),
        (1.0, "1"),
        (np.int64(3), "3"),
        (0.5, "0.5"),
        ("👩\u200d🚀 espacio", "👩\u200d🚀 espacio"),
        ("None", "None"),
        ("NA", "NA"),  # Navarra, Namibia
    ],
)
def test_names_of_other_values(value: Any, name: str):
    assert label_name(value, "a") == name


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["deportes"], "line 1: column 'label' must have one label, not a list"),
        ({"a": 1}, "not a dict"),
        (None, "line 1: column 'label' is empty"),
        (float("nan"), "line 1: column 'label' is empty"),
        (" \u00a0", "line 1: column 'label' is empty"),
        ("\u200b", "line 1: column 'label' is empty"),
        ("nan", r"line 1: column 'label' is empty \('nan'\)"),
        ("<NA>", "is empty"),
    ],
)
def test_what_is_no_label_is_refused_with_its_line(tmp_path: Path, value: Any, message: str):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "Hola", "label": value}), encoding="utf-8")
    for read in (
        lambda: read_split(TASKS["topics"], str(path)),
        lambda: list(text_reader(path)(NLP)),
        lambda: read_labelled([path], {"a": ["b"]}),
    ):
        with pytest.raises(SelectraError, match=message):
            read()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('["Hola"]', "line 1: column 'text' must have a text, not a list"),
        ("NaN", "line 1: column 'text' is empty"),
        ('" \\n"', "line 1: column 'text' is empty"),
        ('"Hola \\ud83d"', "line 1: column 'text': half a surrogate pair at 6"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, text: str, message: str):
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"text": {text}, "label": "a"}}\n', encoding="utf-8")
    for read in (
        lambda: read_split(TASKS["topics"], str(path)),
        lambda: list(text_reader(path)(NLP)),
    ):
        with pytest.raises(SelectraError, match=message):
            read()
    path.write_text('{"tokens": ["a\\udc00"], "ner_tags": ["O"]}\n', encoding="utf-8")
    with pytest.raises(SelectraError, match="column 'tokens': half a surrogate pair"):
        read_split(TASKS["ner"], str(path))


def test_classes_are_one_class_in_every_reader(tmp_path: Path):
    rows = [{"text": f"t{n}", "label": label} for n, label in enumerate([*ODD, "salud"])]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    data = DataSettings(name="x", train=str(path), dev=str(path))
    assert read_dataset(TASKS["topics"], data).labels == ["política", "salud"]
    for labels in (None, ["salud ", "poli\u0301tica"]):
        docs = [example.reference for example in text_reader(path, labels=labels)(NLP)]
        assert all(set(doc.cats) == {"política", "salud"} for doc in docs)
        assert sum(doc.cats["política"] for doc in docs) == len(ODD)
    found = read_labelled([path], {"política": ["política"]})
    assert len(found) == len(ODD)
    pairs = tmp_path / "b.csv"
    pairs.write_text("premise,hypothesis,label\n" + "".join(f"a,b,{n}\n" for n in ODD), "utf-8")
    assert {tuple(e.reference.cats) for e in pairs_reader(pairs)(NLP)} == {("política",)}


def test_entity_types_and_tags_are_one_in_every_reader(tmp_path: Path):
    columns, rows = tmp_path / "a.tsv", tmp_path / "a.jsonl"
    columns.write_text("Ana\tB-PER\u00a0\nGil\tI-PER\nAlba\tI-PER \n", encoding="utf-8")
    tags = ["B-PER\u00a0", "I-PER", "I- PER"]
    text = {"text": "Ana Gil Alba", "spans": [{"start": 0, "end": 12, "label": "PER "}]}
    rows.write_text(json.dumps({"tokens": ["Ana", "Gil", "Alba"], "ner_tags": tags}), "utf-8")
    spans = tmp_path / "b.jsonl"
    spans.write_text(json.dumps(text), encoding="utf-8")
    for path in (columns, rows, spans):
        assert read_split(TASKS["ner"], str(path))[0].tags == ["B-PER", "I-PER", "I-PER"]
        (example,) = conll_reader(path)(NLP)
        assert [(e.text, e.label_) for e in example.reference.ents] == [("Ana Gil Alba", "PER")]
    columns.write_text("va\tVERB\nno\tADV\nva\tVERB\u00a0\n", encoding="utf-8")
    assert read_split(TASKS["pos"], str(columns))[0].tags == ["VERB", "ADV", "VERB"]
