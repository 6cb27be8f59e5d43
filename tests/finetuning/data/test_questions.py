"""Questions with answers in a text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.config import DataSettings
from spacy_selectra.finetuning.data.dataset import Question, read_dataset, read_split
from spacy_selectra.finetuning.tasks.registry import TASKS
from tests.finetuning.tiny import write_jsonl

QA = TASKS["qa"]
CONTEXT = "Ávila está en España y León también."
PLACE = {"text": "España", "answer_start": 14}


def squad(path: Path, *questions: dict[str, Any]) -> str:
    paragraph = {"context": CONTEXT, "qas": list(questions)}
    whole = {"version": "1.1", "data": [{"title": "t", "paragraphs": [paragraph]}]}
    path.write_text(json.dumps(whole, ensure_ascii=False, indent=1), encoding="utf-8")
    return str(path)


def asked(**changed: Any) -> dict[str, Any]:
    return {"id": "q1", "question": "¿Dónde?", "answers": [PLACE], **changed}


def test_squad_file_with_several_answers_or_none(tmp_path: Path):
    plausible = [PLACE]
    path = squad(
        tmp_path / "dev.json",
        asked(answers=[PLACE, {"text": "en España", "answer_start": 11}]),
        asked(id="q2", is_impossible=True, answers=[], plausible_answers=plausible),
        asked(id="q3", is_impossible=True),
    )
    assert read_split(QA, path) == [
        Question("q1", CONTEXT, "¿Dónde?", [("España", 14), ("en España", 11)]),
        Question("q2", CONTEXT, "¿Dónde?", []),
        Question("q3", CONTEXT, "¿Dónde?", []),
    ]
    data = read_dataset(QA, DataSettings(name="x", train=path, dev=path))
    assert (data.labels, len(data.train)) == ([], 3)


def test_rows_as_on_the_hub_or_as_in_squad(tmp_path: Path):
    rows = [
        {
            "id": "q1",
            "context": CONTEXT,
            "question": "¿Dónde?",
            "answers": {"text": ["España"], "answer_start": [14]},
        },
        {"context": CONTEXT, "question": "¿Y León?", "answers": [PLACE]},
        {"id": "q3", "context": CONTEXT, "question": "¿Quién?", "answers": []},
    ]
    first, second, third = read_split(QA, str(write_jsonl(tmp_path / "a.jsonl", rows)))
    assert first == Question("q1", CONTEXT, "¿Dónde?", [("España", 14)])
    assert second.answers == [("España", 14)]
    assert third.answers == []
    assert len({first.id, second.id, third.id}) == 3


def test_answers_that_translation_lost_are_left_out(tmp_path: Path):
    lost = {"text": "", "answer_start": -1}
    path = squad(
        tmp_path / "train.json",
        asked(answers=[lost, PLACE, lost]),
        asked(id="q2", answers=[lost, lost]),
        asked(id="q3", answers=[]),
    )
    assert read_split(QA, path) == [
        Question("q1", CONTEXT, "¿Dónde?", [("España", 14)]),
        Question("q3", CONTEXT, "¿Dónde?", []),
    ]


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (
            asked(answers=[{"text": "España", "answer_start": 15}]),
            "question q1: answer 'España' is not at character 15 .* which has 'spaña '",
        ),
        (asked(answers=[{"text": "España", "answer_start": -22}]), "not at character -22"),
        (asked(answers=[{"text": "", "answer_start": 3}]), "answer '' is not at character 3"),
        (asked(answers=[{"text": "España"}]), "needs a text and an answer_start"),
        (asked(question=""), "question q1: column 'question' is empty"),
        ({"id": "q1", "answers": []}, "not in SQuAD's format \\('question' is missing\\)"),
    ],
)
def test_unusable_questions(tmp_path: Path, question: dict[str, Any], message: str):
    with pytest.raises(SelectraError, match=message):
        read_split(QA, squad(tmp_path / "a.json", question))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", '{"data": [}', "line 1: not JSON"),
        ("a.json", '{"rows": []}', "'data' is missing"),
        ("a.json", "[1]", "not in SQuAD's format"),
        ("a.json", '{"data": []}', "dev: no example in"),
        ("a.tsv", "context\n", r"unknown format \(use SQuAD's \.json"),
        ("a.jsonl", '{"context": "x"}', "missing column for task 'qa'.*context/question/answers"),
    ],
)
def test_unusable_files(tmp_path: Path, name: str, text: str, message: str):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(SelectraError, match=message):
        read_split(QA, str(tmp_path / name), "dev")
