from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from spacy_selectra.corpus.compression import open_for_writing
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.config import DataSettings
from spacy_selectra.finetuning.data.dataset import (
    Dataset,
    Example,
    Scored,
    fingerprint,
    read_dataset,
    read_split,
)
from spacy_selectra.finetuning.tasks.registry import TASKS, TaskSpec, task_spec
from tests.finetuning.tiny import nli_rows, write_jsonl

NLI, PARAPHRASE, TOPICS = TASKS["nli"], TASKS["paraphrase"], TASKS["topics"]


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def dataset(spec: TaskSpec, train: str, dev: str, **settings: object) -> Dataset:
    values = {"name": "test", "train": train, "dev": dev, **settings}
    return read_dataset(spec, DataSettings.model_validate(values))


def test_entailment_is_last_and_contradiction_first():
    assert NLI.labels == ("contradiction", "neutral", "entailment")


def test_unknown_task():
    with pytest.raises(SelectraError, match=r"no task 'nil' .*nli, paraphrase, topics"):
        task_spec("nil")


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
    data = dataset(TOPICS, path, path)
    assert data.labels == ["deporte", "viajes"]
    assert data.train[0] == Example("Ávila", None, "viajes")
    assert data.test == []


def test_joins_files_of_different_columns(tmp_path: Path):
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
        ("a.csv", 'sentence1,sentence2,label\nA,"B\0,1\n', "a.csv, line 2: not"),
        ("a.tsv.gz", "sentence1\n", r"damaged or truncated \.gz file"),
        ("a.txt", "A\n", "unknown format"),
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
        dataset(TOPICS, train, dev)


def test_split_without_one_of_the_labels(tmp_path: Path):
    train, dev = topics(tmp_path / "train.tsv", "abc"), topics(tmp_path / "dev.tsv", "ab")
    with pytest.raises(SelectraError, match="dev: no example with the label 'c'"):
        dataset(TOPICS, train, dev)


def test_label_the_task_does_not_know(tmp_path: Path):
    rows = [*nli_rows(3, seed=0), {"premise": "A", "hypothesis": "B", "label": "maybe"}]
    path = str(write_jsonl(tmp_path / "a.jsonl", rows))
    with pytest.raises(SelectraError, match=r"label 'maybe'.*the task's labels: contradiction"):
        dataset(NLI, path, path)


def test_a_single_label_is_nothing_to_learn(tmp_path: Path):
    path = topics(tmp_path / "a.tsv", "aa")
    with pytest.raises(SelectraError, match="only one label"):
        dataset(TOPICS, path, path)


@pytest.mark.parametrize("compression", [".gz", ".xz", ".zst"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", "category\ttext\nviajes\tCádiz\n"),
        ("a.csv", 'text,category\n"Cádiz",viajes\n'),
        ("a.jsonl", '{"text": "Cádiz", "label": "viajes"}\n'),
    ],
)
def test_compressed_files(tmp_path: Path, name: str, text: str, compression: str):
    path = tmp_path / f"{name}{compression}"
    with open_for_writing(path, compression) as stream:
        stream.write(text.encode())
    assert read_split(TOPICS, str(path)) == [Example("Cádiz", None, "viajes")]


def test_csv_fields_of_several_lines(tmp_path: Path):
    path = write(tmp_path / "a.csv", 'text,label\n"Uno\n""dos""",a\nTres,b\n')
    assert read_split(TOPICS, path) == [
        Example('Uno\n"dos"', None, "a"),
        Example("Tres", None, "b"),
    ]


def test_document_topics_without_header(tmp_path: Path):
    path = write(tmp_path / "es.train.tsv", "CCAT\tLa empresa sube.\nGCAT\tGana el Betis.\n")
    assert read_split(TASKS["mldoc"], path)[1] == Example("Gana el Betis.", None, "GCAT")


def test_pairs_that_were_not_translated_are_left_out(tmp_path: Path):
    rows = "id\tsentence1\tsentence2\tlabel\n1\tA\tNS\t1\n2\tA\tB\t0\n3\t\tB\t0\n"
    path = write(tmp_path / "es.tsv", rows)
    assert read_split(TASKS["pawsx"], path) == [Example("A", "B", "different")]


STS = TASKS["sts_es"]


def test_similarity_with_and_without_header(tmp_path: Path):
    bare = write(tmp_path / "bare.tsv", "Un gato.\tUn felino.\t4.2\r\nUno.\tDos.\t0\r\n")
    named = write(tmp_path / "named.tsv", "sentence1\tsentence2\tscore\nTres.\tIII.\t5.000\n")
    rows = [{"sentence1": "A", "sentence2": "B", "label": 1.5}]
    plain = str(write_jsonl(tmp_path / "rows.jsonl", rows))
    assert read_split(STS, [bare, named, plain]) == [
        Scored("Un gato.", "Un felino.", 4.2),
        Scored("Uno.", "Dos.", 0.0),
        Scored("Tres.", "III.", 5.0),
        Scored("A", "B", 1.5),
    ]
    assert dataset(STS, bare, named).labels == []


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("mucho", "line 2: 'mucho' in column 'score' is not a number"),
        ("nan", "line 2: 'nan' in column 'score' is not a number"),
        ("5.1", "line 2: 5.1 in column 'score' is not between 0 and 5"),
        ("-1", "line 2: -1 in column 'score' is not between 0 and 5"),
        ("1\t2", "line 2: 4 columns, a file without header has 3"),
    ],
)
def test_values_that_are_none(tmp_path: Path, value: str, message: str):
    path = write(tmp_path / "a.tsv", f"A\tB\t1\nA\tB\t{value}\n")
    with pytest.raises(SelectraError, match=message):
        read_split(STS, path)


def test_any_value_without_a_scale(tmp_path: Path):
    path = write(tmp_path / "a.tsv", "A\tB\t-7.5\n")
    assert read_split(TASKS["similarity"], path)[0].value == -7.5


def test_a_limit_takes_a_part_of_what_a_greater_limit_takes(tmp_path: Path):
    write_jsonl(tmp_path / "b.jsonl", [{"text": f"n{n}", "label": "ab"[n % 2]} for n in range(50)])
    path = str(tmp_path / "b.jsonl")
    few, more = (dataset(TOPICS, path, path, train_limit=n) for n in (5, 20))
    assert few.train == more.train[:5]
    assert few.train != read_split(TOPICS, path)[:5]
    assert (len(few.train), len(few.dev), len(more.train)) == (5, 50, 20)
    assert few.labels == ["a", "b"]


def test_joined_sentences_are_all_there_in_order(tmp_path: Path):
    lines = [f"Ana{n} B-PER\nduerme O\n\n" for n in range(400)]
    path = write(tmp_path / "a.conll", "".join(lines))
    alone = dataset(TASKS["ner"], path, path)
    joined = dataset(TASKS["ner"], path, path, join_sentences=4)
    assert joined.dev == alone.train
    sizes = Counter(len(text.words) // 2 for text in joined.train)
    assert set(sizes) == {1, 2, 3, 4}
    # a quarter of some 160 texts each; five standard deviations
    assert max(abs(count - len(joined.train) / 4) for count in sizes.values()) < 28
    limited = dataset(TASKS["ner"], path, path, join_sentences=4, train_limit=400)
    assert limited.train == joined.train
    for part in ("words", "tags"):
        assert [x for text in joined.train for x in getattr(text, part)] == [
            x for text in alone.train for x in getattr(text, part)
        ]
    with pytest.raises(SelectraError, match="is for tagged sentences, not for topics"):
        dataset(TOPICS, *2 * [topics(tmp_path / "b.tsv", "ab")], join_sentences=2)


def test_nothing_to_read(tmp_path: Path):
    path = topics(tmp_path / "a.tsv", "ab")
    with pytest.raises(SelectraError, match=r"data\.dev is not set; give a file"):
        read_dataset(TOPICS, DataSettings(name="x", train=path))


def test_fingerprints_tell_data_and_not_files(tmp_path: Path):
    rows = nli_rows(6, seed=0)
    one = read_split(NLI, str(write_jsonl(tmp_path / "a.jsonl", rows)))
    lines = "".join(f"{r['premise']},{r['hypothesis']},{r['label']}\n" for r in rows)
    two = read_split(NLI, write(tmp_path / "b.csv", f"premise,hypothesis,label\n{lines}"))
    assert fingerprint(one) == fingerprint(two)
    assert fingerprint(one) != fingerprint(one[1:])
