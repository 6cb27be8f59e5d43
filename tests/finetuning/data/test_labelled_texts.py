"""Labelled texts under other names, and entailment pairs of them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.dataset import read_split
from spacy_selectra.finetuning.data.labelled_texts import (
    Selection,
    entailment_pairs,
    read_labelled,
    read_names,
    read_pairs,
    stretch,
)
from spacy_selectra.finetuning.tasks.registry import task_spec

run = CliRunner()
BY_CATEGORY = Selection(label_key="category")
NAMES = {"sports": ["deportes", "deporte"], "food": ["cocina"], "law": ["leyes"]}


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "texts.tsv"
    lines = ["category\ttext"]
    for label, count in (("sports", 60), ("food", 20), ("law", 5), ("other", 9)):
        lines += [f"{label}\tTexto {n} de {label}." for n in range(count)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_texts_of_the_labels_named(rows: Path):
    found = read_labelled([rows], NAMES, BY_CATEGORY)
    assert Counter(one.names[0] for one in found) == {"deportes": 60, "cocina": 20, "leyes": 5}
    for one in found:
        label = one.text.split(" de ")[1].rstrip(".")
        assert one.names == NAMES[label]


def test_so_many_of_each_label_all_equally_likely(rows: Path):
    chosen: Counter[str] = Counter()
    for seed in range(300):
        found = read_labelled(
            [rows], NAMES, Selection(label_key="category", per_label=6, seed=seed)
        )
        assert Counter(one.names[0] for one in found) == {"deportes": 6, "cocina": 6, "leyes": 5}
        chosen.update(one.text for one in found)
    counts = np.array([chosen[f"Texto {n} de sports."] for n in range(60)])
    # a tenth of 300; five standard deviations of a binomial
    assert np.abs(counts - 30).max() < 5 * (300 * 0.1 * 0.9) ** 0.5


def test_stretches_are_whole_sentences():
    text = "Uno dos tres. ¿Cuatro cinco? Seis siete ocho nueve.\nDiez once. Doce."
    sentences = ["Uno dos tres.", "¿Cuatro cinco?", "Seis siete ocho nueve.", "Diez once.", "Doce."]
    random = np.random.default_rng(0)
    found = {stretch(text, 5, random) for _ in range(200)}
    assert found == {
        "Uno dos tres. ¿Cuatro cinco?",
        "¿Cuatro cinco?",
        "Seis siete ocho nueve.",
        "Diez once. Doce.",
        "Doce.",
    }
    assert stretch(text, None, random) == text
    assert stretch(text, 100, random) == text
    assert stretch("uno dos tres cuatro", 3, random) == "uno dos tres"
    assert " ".join(sentences) == text.replace("\n", " ")


def test_pairs_entail_their_own_label_and_contradict_others(rows: Path):
    texts = read_labelled([rows], NAMES, BY_CATEGORY)
    pairs = list(entailment_pairs(texts, NAMES, "Trata de {}.", others=2))
    assert len(pairs) == 3 * len(texts)
    own = {"sports": {"deportes", "deporte"}, "food": {"cocina"}, "law": {"leyes"}}
    said: Counter[str] = Counter()
    for pair in pairs:
        label = pair["premise"].split(" de ")[1].rstrip(".")
        name = pair["hypothesis"].removeprefix("Trata de ").rstrip(".")
        assert (name in own[label]) == (pair["label"] == "entailment")
        said[name] += 1
    assert said["deporte"] > 20
    assert said["deportes"] > 20


@pytest.mark.parametrize(
    ("template", "others", "message"),
    [("Trata de eso.", 1, "has no {}"), ("Trata de {}.", 3, "too few for 3 contradictions")],
)
def test_pairs_that_cannot_be_made(template: str, others: int, message: str):
    with pytest.raises(SelectraError, match=message):
        list(entailment_pairs([], NAMES, template, others))


def test_label_that_does_not_occur(rows: Path):
    names = {**NAMES, "tennis": ["tenis"]}
    with pytest.raises(
        SelectraError, match=r"no text with the label 'tennis' \(found: food, law, other"
    ):
        read_labelled([rows], names, BY_CATEGORY)
    with pytest.raises(SelectraError, match="no column 'label'"):
        read_labelled([rows], NAMES)


def test_rows_without_a_label_are_left_out_of_a_corpus(tmp_path: Path):
    path = tmp_path / "corpus.jsonl"
    rows = [
        {"text": "Ganó", "topic": "Deportes"},
        {"text": "Nada"},
        {"text": "Ley", "topic": "Otro"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = read_labelled([path], {"Deportes": ["deportes"]}, Selection(label_key="topic"))
    assert [(one.text, one.names) for one in found] == [("Ganó", ["deportes"])]
    with pytest.raises(SelectraError, match="line 2: no column 'topic'"):
        read_pairs(path, label_key="topic")


@pytest.mark.parametrize("text", ["", "a: x", "- a\n- b", "a: x\nb: [1, 2]", "a: x\nb: []", "{"])
def test_names_that_cannot_be_read(text: str, tmp_path: Path):
    path = tmp_path / "names.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SelectraError, match=r"names\.yml"):
        read_names(path)


def test_commands_write_what_fine_tuning_reads(rows: Path, tmp_path: Path):
    names = tmp_path / "names.yml"
    names.write_text("sports: [deportes, deporte]\nfood: cocina\nlaw: leyes\n", encoding="utf-8")
    common = [str(rows), "--names", str(names), "--label-key", "category"]
    texts, pairs = tmp_path / "texts.jsonl", tmp_path / "pairs.jsonl"
    result = run.invoke(app, ["labels", "texts", *common[:1], str(texts), *common[1:]])
    assert result.exit_code == 0, result.output
    assert "85 texts" in result.output
    command = ["labels", "pairs", *common[:1], str(pairs), *common[1:], "--template", "Es de {}."]
    result = run.invoke(app, [*command, "--per-label", "5"])
    assert result.exit_code == 0, result.output
    assert "45 pairs of 15 texts" in result.output
    found = read_split(task_spec("topics"), str(texts))
    assert {example.label for example in found} == {"deportes", "cocina", "leyes"}
    assert {e.label for e in read_split(task_spec("nli"), str(pairs))} == {
        "entailment",
        "contradiction",
    }
    assert json.loads(pairs.read_text(encoding="utf-8").splitlines()[0]).keys() == {
        "premise",
        "hypothesis",
        "label",
    }


def test_all_labels_of_some_rows(tmp_path: Path):
    path = tmp_path / "corpus" / "a.jsonl"
    path.parent.mkdir()
    kinds = [("news", "Uno"), ("news", "Dos"), ("law", "Tres"), ("news", None)]
    with path.open("w", encoding="utf-8") as file:
        for source, title in kinds:
            row = {"source": source, "text": f"Texto de {title}."}
            print(json.dumps(row if title is None else row | {"title": title}), file=file)
    out = tmp_path / "out.jsonl"
    given = ["labels", "texts", str(path), str(out), "--label-key", "title", "--where"]
    result = run.invoke(app, [*given, "source=news"], catch_exceptions=False)
    assert "2 texts" in result.output
    found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert {(row["text"], row["label"]) for row in found} == {
        ("Texto de Uno.", "Uno"),
        ("Texto de Dos.", "Dos"),
    }
    folder = ["labels", "texts", str(path.parent), str(tmp_path / "all"), *given[4:]]
    assert "2 texts" in run.invoke(app, [*folder, "source=news"], catch_exceptions=False).output
    again = [*given[:-1], "--replace", "--where"]
    for where, message in (("source=poems", "no labelled text"), ("source", "not KEY=VALUE")):
        result = run.invoke(app, [*again, where])
        assert result.exit_code == 1
        assert message in result.output
