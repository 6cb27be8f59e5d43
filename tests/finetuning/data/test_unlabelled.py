"""Texts without labels, for distillation."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import pytest

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.dataset import Example, TaggedWords, read_unlabelled
from spacy_selectra.finetuning.tasks.registry import TASKS
from tests.finetuning.tiny import write_jsonl


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_text_a_line(tmp_path: Path):
    path = write(tmp_path / "a.txt", "Hola, Cádiz.\n\n  Adiós\n")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress("Más\n".encode()))
    assert read_unlabelled(TASKS["topics"], [path, str(tmp_path / "b.txt.gz")]) == [
        Example("Hola, Cádiz.", None, ""),
        Example("Adiós", None, ""),
        Example("Más", None, ""),
    ]


def test_pairs_are_separated_by_a_tab(tmp_path: Path):
    path = write(tmp_path / "a.txt", "Llueve.\tHace sol.\n")
    assert read_unlabelled(TASKS["nli"], path) == [Example("Llueve.", "Hace sol.", "")]
    (scored,) = read_unlabelled(TASKS["similarity"], path)
    assert (scored.text, scored.pair) == ("Llueve.", "Hace sol.")
    assert math.isnan(scored.value)
    with pytest.raises(SelectraError, match=r"b\.txt, line 2: not two texts separated by a tab"):
        read_unlabelled(TASKS["nli"], write(tmp_path / "b.txt", "A\tB\nsolo\n"))


def test_words_are_split_at_white_space_and_punctuation(tmp_path: Path):
    path = write(tmp_path / "a.txt", "¿Vas a León (España)? Son 1.234,5 euros: «sí».\n")
    first = ["¿", "Vas", "a", "León", "(", "España", ")", "?"]
    words = [*first, "Son", "1.234,5", "euros", ":", "«", "sí", "»", "."]
    assert read_unlabelled(TASKS["ner"], path) == [TaggedWords(words, [])]


def test_rows_with_labels_or_without(tmp_path: Path):
    rows = [{"premise": "A", "hypothesis": "B", "label": "neutral"}]
    path = str(write_jsonl(tmp_path / "a.jsonl", rows))
    bare = str(write_jsonl(tmp_path / "b.jsonl", [{"premise": "C", "hypothesis": "D"}]))
    assert read_unlabelled(TASKS["nli"], [path, bare]) == [
        Example("A", "B", ""),
        Example("C", "D", ""),
    ]


def test_rows_of_words_and_of_texts_for_tags(tmp_path: Path):
    words = str(write_jsonl(tmp_path / "a.jsonl", [{"tokens": ["Va", "a", "Ávila"]}]))
    texts = str(write_jsonl(tmp_path / "b.jsonl", [{"text": "Uno.\n\nDos tres", "source": "x"}]))
    assert [example.words for example in read_unlabelled(TASKS["ner"], [words, texts])] == [
        ["Va", "a", "Ávila"],
        ["Uno", "."],
        ["Dos", "tres"],
    ]


def test_problems(tmp_path: Path):
    topics = TASKS["topics"]
    with pytest.raises(SelectraError, match="unlabelled: no text in"):
        read_unlabelled(topics, write(tmp_path / "a.txt", "\n"))
    with pytest.raises(SelectraError, match=r"a\.md: unknown format \(use \.txt"):
        read_unlabelled(topics, write(tmp_path / "a.md", "x\n"))
    with pytest.raises(SelectraError, match="missing column for task 'topics': it needs text, "):
        read_unlabelled(topics, str(write_jsonl(tmp_path / "a.jsonl", [{"texto": "x"}])))
    with pytest.raises(SelectraError, match="task 'qa' cannot use unlabelled text"):
        read_unlabelled(TASKS["qa"], str(tmp_path / "a.txt"))
