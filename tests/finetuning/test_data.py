from __future__ import annotations

from pathlib import Path

import pytest

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data import Example, read_dataset, read_split
from spacy_selectra.finetuning.tasks import TASKS, get_task
from tests.finetuning.tiny import nli_rows, write_jsonl

NLI, PARAPHRASE, TOPICS = TASKS["nli"], TASKS["paraphrase"], TASKS["topics"]


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_entailment_is_last_and_contradiction_first():
    assert NLI.labels == ("contradiction", "neutral", "entailment")


def test_unknown_task():
    with pytest.raises(SelectraError, match=r"no task 'nil' .*nli, paraphrase, topics"):
        get_task("nil")


def test_reads_xnli_of_one_language_with_its_quotation_marks(tmp_path: Path):
    path = write(
        tmp_path / "xnli.tsv",
        "language\tgold_label\tsentence1\tsentence2\tgenre\n"
        'es\tneutral\tY él dijo: "Mamá".\t"Llamó" a su madre\tx\n'
        "en\tneutral\tAnd he said\tHe called\tx\n",
    )
    assert read_split(NLI, path) == [Example('Y él dijo: "Mamá".', '"Llamó" a su madre', "neutral")]


def test_reads_inferes_and_translates_its_labels(tmp_path: Path):
    path = write(
        tmp_path / "inferes.csv",
        'ID,Premise,Hypothesis,Label,Topic\n1,"En Cádiz, llueve.",Llueve.,ent,4\n2,A,B,cnt,4\n',
    )
    assert [(example.text, example.label) for example in read_split(NLI, path)] == [
        ("En Cádiz, llueve.", "entailment"),
        ("A", "contradiction"),
    ]


def test_reads_pawsx_with_csv_quotes(tmp_path: Path):
    path = write(
        tmp_path / "pawsx.tsv",
        'id\tsentence1\tsentence2\tlabel\n1\t"El ""Consejo"" nació."\tNació el Consejo.\t1\n',
    )
    assert read_split(PARAPHRASE, path) == [
        Example('El "Consejo" nació.', "Nació el Consejo.", "paraphrase")
    ]


def test_reads_topics_and_takes_labels_from_training(tmp_path: Path):
    text = "index_id\tcategory\ttext\n1\tviajes\tÁvila\n2\tdeporte\tGol\n"
    path = write(tmp_path / "sib.tsv", text)
    dataset = read_dataset(TOPICS, path, path)
    assert dataset.labels == ["deporte", "viajes"]
    assert dataset.train[0] == Example("Ávila", None, "viajes")
    assert dataset.test == []


def test_joins_files_of_different_layouts(tmp_path: Path):
    first = write_jsonl(tmp_path / "a.jsonl", nli_rows(3, seed=0))
    second = write(tmp_path / "b.csv", "Premise,Hypothesis,Label\nA,B,neutral\n")
    examples = read_split(NLI, [str(first), second])
    assert len(examples) == 4
    assert examples[-1] == Example("A", "B", "neutral")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.tsv", "sentence1\tsentence2\nA\tB\n", "missing column for task 'paraphrase'.*label"),
        ("a.tsv", "sentence1\tsentence2\tlabel\nA\t1\n", "line 2: 2 columns, the header has 3"),
        ("a.tsv", "sentence1\tsentence2\tlabel\nA\t\t1\n", "line 2: column 'sentence2' is empty"),
        ("a.csv", "sentence1,sentence2,label\nA,B\n", "line 2: not 3 columns"),
        ("a.tsv", "sentence1\tsentence2\tlabel\n", "train: no example in"),
        ("a.jsonl", '{"sentence1": "A"\n', "line 1: not JSON"),
        ("a.jsonl", "[1]\n", "line 1: not a JSON object"),
        ("a.txt", "A\n", "kind of file not known"),
    ],
)
def test_unusable_files(tmp_path: Path, name: str, text: str, message: str):
    path = write(tmp_path / name, text)
    with pytest.raises(SelectraError, match=message):
        read_split(PARAPHRASE, path, "train")


def test_latin1_file(tmp_path: Path):
    (tmp_path / "a.tsv").write_bytes("category\ttext\nviajes\tCádiz\n".encode("latin-1"))
    with pytest.raises(SelectraError, match="not UTF-8"):
        read_split(TOPICS, str(tmp_path / "a.tsv"))


def test_missing_file(tmp_path: Path):
    with pytest.raises(SelectraError, match="no such file"):
        read_split(TOPICS, str(tmp_path / "a.tsv"))


def topics(path: Path, labels: str) -> str:
    return write(path, "category\ttext\n" + "".join(f"{label}\tx\n" for label in labels))


def test_label_not_seen_in_training(tmp_path: Path):
    train, dev = topics(tmp_path / "train.tsv", "ab"), topics(tmp_path / "dev.tsv", "abc")
    with pytest.raises(
        SelectraError, match=r"dev: label 'c' \(1 examples\) is not one of .*: a, b"
    ):
        read_dataset(TOPICS, train, dev)


def test_split_without_one_of_the_labels(tmp_path: Path):
    train, dev = topics(tmp_path / "train.tsv", "abc"), topics(tmp_path / "dev.tsv", "ab")
    with pytest.raises(SelectraError, match="dev: no example of label 'c'"):
        read_dataset(TOPICS, train, dev)


def test_label_the_task_does_not_know(tmp_path: Path):
    rows = [*nli_rows(3, seed=0), {"premise": "A", "hypothesis": "B", "label": "maybe"}]
    path = str(write_jsonl(tmp_path / "a.jsonl", rows))
    with pytest.raises(SelectraError, match=r"label 'maybe'.*this task's labels: contradiction"):
        read_dataset(NLI, path, path)


def test_a_single_label_is_nothing_to_learn(tmp_path: Path):
    path = topics(tmp_path / "a.tsv", "aa")
    with pytest.raises(SelectraError, match="only one label"):
        read_dataset(TOPICS, path, path)
