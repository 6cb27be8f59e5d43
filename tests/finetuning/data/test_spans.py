"""Entities as characters of a text, as annotation tools write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_selectra.components.corpora.labelled import conll_reader
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.dataset import TaggedWords, read_split
from spacy_selectra.finetuning.data.examples import MarkedText
from spacy_selectra.finetuning.data.spans import in_words, marked_text, split_words
from spacy_selectra.finetuning.tasks.registry import TASKS

NER, NLP = TASKS["ner"], spacy.blank("es")
TEXT = "Ana Gil vive en Cádiz."
WORDS = TaggedWords(
    ["Ana", "Gil", "vive", "en", "Cádiz", "."], ["B-PER", "I-PER", "O", "O", "B-LOC", "O"]
)
OBJECTS = [{"start": 0, "end": 7, "label": "PER"}, {"start": 16, "end": 21, "label": "LOC"}]
DOCCANO = [{"id": 3, "start_offset": 16, "end_offset": 21, "label": "LOC"}, [0, 7, "PER"]]
TOKENS = [{"text": "Ana", "start": 0, "end": 3, "id": 0}]


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "row",
    [
        {"id": 1, "text": TEXT, "label": [[16, 21, "LOC"], [0, 7, "PER"]]},  # doccano
        {"text": TEXT, "labels": [[0, 7, "PER"], [16, 21, "LOC"]]},
        {"text": TEXT, "entities": DOCCANO, "relations": []},
        {"text": TEXT, "tokens": TOKENS, "spans": OBJECTS, "answer": "accept", "_task_hash": 7},
        {"text": TEXT, "ents": OBJECTS, "cats": {}},  # `selectra annotate`
    ],
)
def test_what_annotation_tools_write(tmp_path: Path, row: dict[str, Any]):
    path = write(tmp_path / "a.jsonl", row)
    assert read_split(NER, str(path)) == [WORDS]
    (example,) = conll_reader(path, label_map={"LOC": "LUGAR"})(NLP)
    found = [(entity.text, entity.label_) for entity in example.reference.ents]
    assert found == [("Ana Gil", "PER"), ("Cádiz", "LUGAR")]
    assert example.reference.text == TEXT
    assert not example.predicted.ents


TUPLE = [TEXT, {"entities": [[0, 7, "PER"], [16, 21, "LOC"]]}]
STUDIO = [
    {"value": {"start": 0, "end": 7, "text": "Ana Gil", "labels": ["PER"]}, "type": "labels"},
    {"value": {"start": 16, "end": 21, "labels": ["LOC"]}, "type": "labels"},
    {"value": {"choices": ["bien"]}, "type": "choices"},
]


@pytest.mark.parametrize(
    "whole",
    [
        [{"text": TEXT, "spans": [*OBJECTS, OBJECTS[0]]}],  # two annotators agree
        [TUPLE],  # spaCy 2
        {"classes": ["PER"], "annotations": [None, TUPLE]},  # NER Annotator
        [{"text": TEXT, "label": [one["value"] for one in STUDIO[:2]]}],  # Label Studio, short
        [
            {
                "data": {"text": TEXT},
                "annotations": [{"result": [], "was_cancelled": True}, {"result": STUDIO}],
            }
        ],
    ],
)
def test_whole_files_of_json(tmp_path: Path, whole: Any):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(whole, indent=1), encoding="utf-8")
    assert read_split(NER, str(path)) == [WORDS]
    (example,) = conll_reader(path)(NLP)
    assert [entity.label_ for entity in example.reference.ents] == ["PER", "LOC"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"text": "a"}\n{"text": "b"}', "line 2: not JSON"),
        ('{"text": "a"}', r"not an array of rows .*use \.jsonl for one object per line"),
        ('[["a", "b"]]', "item 1: not a JSON object"),
        ('[{"data": {"text": "a"}, "annotations": [{}]}]', "item 1: not in Label Studio's format"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_other_files_of_json_are_refused(tmp_path: Path, text: str, message: str):
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SelectraError, match=message):
        read_split(NER, str(path))


def test_rows_of_a_json_file_for_other_tasks(tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_text('[{"text": "Hola", "label": "a"}]', encoding="utf-8")
    assert [(row.text, row.label) for row in read_split(TASKS["topics"], str(path))] == [
        ("Hola", "a")
    ]


def test_rejected_and_skipped_examples_and_texts_without_entities(tmp_path: Path):
    hashed = {"text": TEXT, "_task_hash": 1}
    path = write(
        tmp_path / "a.jsonl",
        {**hashed, "answer": "accept"},  # Prodigy leaves out what is empty
        {**hashed, "answer": "reject", "spans": OBJECTS},
        {**hashed, "answer": "ignore", "spans": OBJECTS},
        {**hashed, "answer": "accept", "spans": []},
        {**hashed, "answer": "accept", "spans": OBJECTS},
    )
    empty = TaggedWords(WORDS.words, ["O"] * 6)
    assert read_split(NER, str(path)) == [empty, empty, WORDS]
    assert [len(e.reference.ents) for e in conll_reader(path)(NLP)] == [0, 0, 2]


@pytest.mark.parametrize(
    ("text", "spans", "message"),
    [
        (TEXT, [[0, 6, "PER"]], "line 2: entity 'Ana Gi' .*characters 0 to 6.* is in 'Ana Gil'"),
        (TEXT, [[1, 7, "PER"]], "line 2: entity 'na Gil'"),
        ("😀 Ana", [[3, 6, "PER"]], "line 2: entity 'na' .*|not within"),  # UTF-16 units
        ("Sí, Ana", [[5, 8, "PER"]], "line 2: entity .5, 8, PER. is not within the 7"),  # bytes
        (TEXT, [[0, 8, "PER"]], "entity 'Ana Gil ' .* begins or ends with white space"),
        (TEXT, [[0, 3, "PER"], [0, 7, "PER"]], "line 2: entity 'Ana' .* and .*'Ana Gil'.* overlap"),
        (TEXT, [[7, 0, "PER"]], "not within"),
        (TEXT, [[-7, -1, "PER"]], "not within"),
        (TEXT, [["0", 7, "PER"]], "must be .start, end, type."),
        (TEXT, [[0, 7]], "must be .start, end, type."),
        (TEXT, [{"start": 0, "label": "PER"}], "must be .start, end, type."),
        (TEXT, [[0, 7, None]], "line 2: column 'spans' is empty"),
        (TEXT, "PER", "not a list of entities"),
    ],
)
def test_places_that_cannot_be(tmp_path: Path, text: str, spans: Any, message: str):
    path = write(tmp_path / "a.jsonl", {"text": "x", "spans": []}, {"text": text, "spans": spans})
    with pytest.raises(SelectraError, match=message):
        read_split(NER, str(path))
    with pytest.raises(SelectraError, match=message):
        list(conll_reader(path)(NLP))


@settings(deadline=None)
@given(text=st.text(st.sampled_from("aé 5.,-\n😀"), max_size=30), data=st.data())
def test_entities_of_whole_words_are_found_again(text: str, data: st.DataObject):
    words = split_words(text)
    places, end = [], 0
    for word in words:
        start = text.index(word, end)
        end = start + len(word)
        places.append((start, end))
    cuts = sorted(data.draw(st.sets(st.integers(0, max(0, len(words) - 1)), max_size=6)))
    ranges = [(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False) if words]
    spans = [[places[a][0], places[b][1], "X"] for a, b in ranges]
    found = in_words(marked_text(text, spans, "a", "spans"), "a")
    assert found.words == words
    expected = ["O"] * len(words)
    for a, b in ranges:
        expected[a : b + 1] = ["B-X", *["I-X"] * (b - a)]
    assert found.tags == expected


def test_dropped_types_are_outside():
    marked = MarkedText(TEXT, [(0, 7, "PER"), (16, 21, "LOC")])
    assert in_words(marked, "a", {"PER"}).tags == ["O"] * 4 + ["B-LOC", "O"]
