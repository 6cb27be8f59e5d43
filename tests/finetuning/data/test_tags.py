"""Words with tags: columns, CoNLL-U and rows."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.config import DataSettings
from spacy_selectra.finetuning.data.conll import entity_words
from spacy_selectra.finetuning.data.dataset import Dataset, TaggedWords, read_dataset, read_split
from spacy_selectra.finetuning.tasks.registry import TASKS, TaskSpec
from tests.finetuning.tiny import write_jsonl

NER, POS = TASKS["ner"], TASKS["pos"]


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def dataset(spec: TaskSpec, train: str, dev: str) -> Dataset:
    return read_dataset(spec, DataSettings(name="test", train=train, dev=dev))


def column(words_and_tags: str, separator: str = " ") -> str:
    return "".join(f"{item.replace('/', separator)}\n" for item in words_and_tags.split(" "))


@pytest.mark.parametrize("name", ["esp.train", "esp.testa", "a.conll", "a.txt", "a.tsv", "corpus"])
def test_entities_from_columns_whatever_the_file_is_called(tmp_path: Path, name: str):
    separator = "\t" if name == "a.tsv" else " "
    first, second = column("Ana/B-PER va/O", separator), column("Cádiz/B-LOC", separator)
    path = write(tmp_path / name, f"{first}\n{second}")
    assert read_split(NER, path) == [
        TaggedWords(["Ana", "va"], ["B-PER", "O"]),
        TaggedWords(["Cádiz"], ["B-LOC"]),
    ]


def test_the_last_column_counts_and_documents_are_no_sentences(tmp_path: Path):
    path = write(tmp_path / "a.conll", "-DOCSTART- -X- O\n\nAna NP B-PER\nRuiz NP I-PER\n")
    assert read_split(NER, path) == [TaggedWords(["Ana", "Ruiz"], ["B-PER", "I-PER"])]


@pytest.mark.parametrize(
    ("tags", "iob2"),
    [
        ("I-PER I-PER O I-LOC", "B-PER I-PER O B-LOC"),  # IOB1
        ("I-PER B-PER I-PER O", "B-PER B-PER I-PER O"),  # IOB1, neighbours
        ("B-PER I-LOC O O", "B-PER B-LOC O O"),  # a type changes
        ("S-PER S-PER B-LOC E-LOC", "B-PER B-PER B-LOC I-LOC"),  # IOBES
        ("U-PER B-ORG L-ORG O", "B-PER B-ORG I-ORG O"),  # BILOU
    ],
)
def test_tag_schemes_become_iob2_in_files_and_rows(tmp_path: Path, tags: str, iob2: str):
    words = ["a", "b", "c", "d"]
    lines = "".join(f"{word} {tag}\n" for word, tag in zip(words, tags.split(), strict=True))
    path = write(tmp_path / "a.conll", lines)
    rows = tmp_path / "a.jsonl"
    write_jsonl(rows, [{"tokens": words, "ner_tags": tags.split()}])
    assert read_split(NER, [path, str(rows)]) == [TaggedWords(words, iob2.split())] * 2


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["PER", "LOC"])), max_size=6))
def test_every_scheme_gives_back_the_entities_it_was_written_from(spans: list[tuple[int, str]]):
    iob2, iobes = [], []
    for size, kind in spans:  # of no word: one outside
        iob2 += [f"B-{kind}", *[f"I-{kind}"] * (size - 1)] if size else ["O"]
        inner = [f"B-{kind}", *[f"I-{kind}"] * (size - 2), f"E-{kind}"]
        iobes += ["O"] if not size else [f"S-{kind}"] if size == 1 else inner
    bilou = [tag.replace("E-", "L-").replace("S-", "U-") for tag in iobes]
    for tags in (iob2, iobes, bilou):
        assert entity_words(["w"] * len(tags), tags, "here").tags == iob2


def test_a_word_may_hold_a_no_break_space(tmp_path: Path):
    path = write(tmp_path / "a.tsv", "5\u00a0000\tB-NUM\neuros\tI-NUM\n")
    assert read_split(NER, path)[0].words == ["5\u00a0000", "euros"]


def test_entity_types_are_sorted_and_a_split_may_lack_one(tmp_path: Path):
    train = write(tmp_path / "train.conll", column("Ana/B-PER va/O a/O Cádiz/B-LOC"))
    dev = write(tmp_path / "dev.conll", column("Ana/B-PER"))
    assert dataset(NER, train, dev).labels == ["LOC", "PER"]
    assert dataset(TASKS["conll2002"], train, dev).labels == ["LOC", "MISC", "ORG", "PER"]


def test_an_entity_type_not_seen_in_training(tmp_path: Path):
    train = write(tmp_path / "train.conll", column("Ana/B-PER va/O"))
    dev = write(tmp_path / "dev.conll", column("Cádiz/B-LOC Ana/B-PER León/B-LOC"))
    with pytest.raises(
        SelectraError, match=r"dev: label 'LOC' \(2 entities\) is not one of .*training data: PER"
    ):
        dataset(NER, train, dev)
    with pytest.raises(SelectraError, match=r"train: label 'OTRO' .* is not one of the task's"):
        dataset(TASKS["conll2002"], write(tmp_path / "o.conll", "Ana B-OTRO\n"), train)


def test_dropped_entity_types_are_read_as_outside(tmp_path: Path):
    spec = replace(NER, drop=frozenset({"NUM"}))
    text = column("Ana/B-PER debe/O 5/B-NUM mil/I-NUM")
    path = write(tmp_path / "a.conll", text)
    rows = tmp_path / "a.jsonl"
    write_jsonl(rows, [{"tokens": ["Ana", "5"], "ner_tags": ["B-PER", "B-NUM"]}])
    data = dataset(spec, path, str(rows))
    assert data.labels == ["PER"]
    assert data.train == [TaggedWords(["Ana", "debe", "5", "mil"], ["B-PER", "O", "O", "O"])]
    assert data.dev == [TaggedWords(["Ana", "5"], ["B-PER", "O"])]


def test_no_entity_at_all(tmp_path: Path):
    path = write(tmp_path / "a.conll", "va O\n")
    with pytest.raises(SelectraError, match="train: no entities, so there is nothing to learn"):
        dataset(NER, path, path)


CONLLU = """# sent_id = 1
# text = Va al mar.
1\tVa\tir\tVERB\t_\t_\t0\troot\t_\t_
2-3\tal\t_\t_\t_\t_\t_\t_\t_\t_
2\ta\ta\tADP\t_\t_\t4\tcase\t_\t_
3\tel\tel\tDET\t_\t_\t4\tdet\t_\t_
3.1\tque\tque\tPRON\t_\t_\t_\t_\t_\t_
4\tmar\tmar\tNOUN\t_\t_\t1\tobl\t_\t_

# sent_id = 2
1\tNo\tno\tADV\t_\t_\t0\troot\t_\t_
"""
SENTENCES = [
    TaggedWords(["Va", "a", "el", "mar"], ["VERB", "ADP", "DET", "NOUN"]),
    TaggedWords(["No"], ["ADV"]),
]


def test_universal_dependencies_plain_and_compressed(tmp_path: Path):
    path = write(tmp_path / "a.conllu", CONLLU)
    (tmp_path / "b.conllu.gz").write_bytes(gzip.compress(CONLLU.encode()))
    assert read_split(POS, path) == SENTENCES
    assert read_split(POS, str(tmp_path / "b.conllu.gz")) == SENTENCES


def test_universal_tags_need_not_all_occur(tmp_path: Path):
    path = write(tmp_path / "a.conllu", CONLLU)
    labels = dataset(TASKS["ud_pos"], path, path).labels
    assert len(labels) == 17
    assert labels == sorted(labels)
    assert dataset(POS, path, path).labels == ["ADP", "ADV", "DET", "NOUN", "VERB"]


def test_a_tag_not_seen_in_training(tmp_path: Path):
    train = write(tmp_path / "train.txt", column("va/VERB mar/NOUN"))
    dev = write(tmp_path / "dev.txt", column("ay/INTJ va/VERB"))
    with pytest.raises(
        SelectraError, match=r"dev: label 'INTJ' \(1 words\).*training data: NOUN, VERB"
    ):
        dataset(POS, train, dev)


def test_rows_without_words_and_words_without_tag_of_their_own(tmp_path: Path):
    rows = [
        {"tokens": ["va", "al", "a", "el"], "upos": ["VERB", "_", "ADP", "DET"]},
        {"tokens": [], "upos": []},
    ]
    path = str(write_jsonl(tmp_path / "a.jsonl", rows))
    assert read_split(POS, path) == [TaggedWords(["va", "a", "el"], ["VERB", "ADP", "DET"])]


@pytest.mark.parametrize(
    ("spec", "name", "text", "message"),
    [
        (NER, "a.conll", "Ana B-PER\nva\n", "line 2: a word without a tag"),
        (POS, "a.txt", "Ana PROPN\nva\n", "line 2: a word without a tag"),
        (NER, "a.conll", "Ana PER\n", "line 1: 'PER' is not an entity tag"),
        (NER, "a.conll", "", "no sentences"),
        (POS, "a.txt", "\n", "train: no example in"),
        (POS, "a.conllu", "1\tVa\tVERB\n", "line 1: 3 columns separated by tabs"),
        (POS, "a.conllu", CONLLU.replace("ADV", "_"), "line 11: a word without a tag"),
        (NER, "a.conllu", CONLLU, "unknown format"),
        (POS, "a.parquet", "{}", r"unknown format \(use \.jsonl, \.json, \.conllu"),
        (POS, "a.json", "{}", "not an array of rows"),
        (NER, "a.jsonl", '{"tokens": ["a"], "ner_tags": []}', "1 words .* 0 tags"),
        (NER, "a.jsonl", '{"tokens": "a", "ner_tags": ["O"]}', "'tokens' is not a list"),
        (NER, "a.jsonl", '{"tokens": [""], "ner_tags": ["O"]}', "item of column 'tokens'"),
        (NER, "a.jsonl", '{"tokens": ["a"], "ner_tags": [3]}', "line 1: '3' is not an entity tag"),
        (NER, "a.jsonl", '{"tokens": ["a"]}', "missing column for task 'ner'.*tokens/ner_tags"),
    ],
)
def test_unusable_files(tmp_path: Path, spec: TaskSpec, name: str, text: str, message: str):
    path = write(tmp_path / name, text)
    with pytest.raises(SelectraError, match=message):
        read_split(spec, path, "train")


@pytest.mark.parametrize("name", ["a.conll", "a.conllu", "a.txt"])
def test_missing_and_latin1_files(tmp_path: Path, name: str):
    spec = NER if name == "a.conll" else POS
    with pytest.raises(SelectraError, match=f"{name}: no such file"):
        read_split(spec, str(tmp_path / name))
    (tmp_path / name).write_bytes("va O\nCádiz B-LOC\n".encode("latin-1")[5:])
    with pytest.raises(SelectraError, match=f"{name}, line 1: not UTF-8"):
        read_split(spec, str(tmp_path / name))
