"""What `annotate` reads and writes: the same rows from every kind of file, and into every kind."""

import csv
import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import spacy
from spacy.tokens import Doc, DocBin

from spacy_selectra.errors import SelectraError
from spacy_selectra.serving.bulk.job import Force, annotate_input
from spacy_selectra.serving.bulk.outputs import ParquetTable, json_line, output_class
from spacy_selectra.serving.bulk.parts import Work, parts_of
from spacy_selectra.serving.bulk.rows import count_rows, list_inputs, read_records, read_rows

ROWS = [
    {"text": "Voy a Cádiz.", "source": "a; b"},
    {"text": 'Dijo: "No,\nno".', "source": ""},
    {"text": "León", "source": "c"},
]


def write(path: Path) -> None:
    kind = path.name.split(".")[1]
    if kind in ("csv", "tsv"):
        stream = io.StringIO()
        dialect = "excel" if kind == "csv" else "excel-tab"
        writer = csv.DictWriter(stream, ["text", "source"], dialect=dialect)
        writer.writeheader()
        writer.writerows(ROWS if kind == "csv" else [ROWS[0], ROWS[2]])
        data = stream.getvalue().encode()
    elif kind == "jsonl":
        data = b"".join(map(json_line, ROWS))
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
        return
    else:
        nlp = spacy.blank("es")
        DocBin(docs=[nlp(row["text"]) for row in ROWS]).to_disk(path)
        return
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.mark.parametrize(
    "name", ["a.csv", "a.csv.gz", "a.tsv", "a.jsonl", "a.jsonl.gz", "a.parquet", "a.spacy"]
)
def test_every_kind_of_file_gives_its_texts_and_other_columns(tmp_path, name):
    path = tmp_path / name
    write(path)
    expected = [ROWS[0], ROWS[2]] if "tsv" in name else ROWS
    found = list(read_records(str(path)))
    if "spacy" in name:
        expected = [{"text": row["text"]} for row in expected]
    assert found == expected
    counted = count_rows([str(path)])
    # its header and a line within quotation marks count as well
    extra = None if counted is None else counted - len(expected)
    assert extra in ([None] if "spacy" in name else [0, 1, 2])


def test_a_folder_is_read_in_the_order_of_names_and_parts_tell_where_they_are_from(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("b/x.csv", "a.jsonl", "b/y.parquet"):
        write(tmp_path / name)
    (tmp_path / "notes.md").write_text("no corpus", "utf-8")
    inputs = list_inputs(str(tmp_path))
    assert [Path(path).name for path in inputs] == ["a.jsonl", "x.csv", "y.parquet"]
    work = Work("", "out.jsonl", batch_size=2)
    parts = [part for number, path in enumerate(inputs) for part in parts_of(work, number, path)]
    assert [part.name for part in parts] == [f"{a:06d}-{b:08d}" for a in range(3) for b in range(2)]
    assert [part.first for part in parts] == [1, 3] * 3


def test_a_data_set_of_the_hub_keeps_its_columns(tmp_path):
    write(tmp_path / "train.jsonl")
    assert list(read_records(f"hub:{tmp_path}")) == ROWS


def test_broken_rows_of_tables_say_why_and_the_rest_is_read(tmp_path):
    csv_file, tsv_file = tmp_path / "a.csv", tmp_path / "a.tsv"
    csv_file.write_bytes(b'text,x\na,1\nb\n"c"d,2\nC\xe1diz,3\ne,4\n')
    tsv_file.write_bytes(b"text\tx\na\t1\nb\ne\t4\n")
    for path, problems in ((csv_file, 3), (tsv_file, 1)):
        found = list(read_rows(str(path)))
        good = [row.values for row in found if row.problem is None]
        assert good == [{"text": "a", "x": "1"}, {"text": "e", "x": "4"}]
        assert sum(row.problem is not None for row in found) == problems
    places = [row.place for row in read_rows(str(csv_file)) if row.problem]
    assert places == [f"{csv_file}, line {number}" for number in (3, 4, 5)]
    with pytest.raises(SelectraError, match=r"a\.csv: no column 'cuerpo'; choose one of text, x"):
        list(read_rows(str(csv_file), "cuerpo"))


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.parquet.gz", "a.spacy.xz"])
def test_outputs_that_are_not_written(name):
    with pytest.raises(SelectraError, match=name):
        output_class(name)


def annotate(rules: str, source: Path, target: Path, **others) -> None:
    annotate_input(str(source), Work(rules, str(target), **others), Force(), quiet=True)


def test_parquet_keeps_types_and_has_lists_of_structs(rules, tmp_path):
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    moment = pa.array([0, 1, None], pa.timestamp("ms"))
    small = pa.array([1, 2, 3], pa.int8())
    texts = [row["text"] for row in ROWS]
    pq.write_table(pa.table({"n": small, "text": texts, "when": moment}), source)
    annotate(rules, source, target, batch_size=2)
    found = pq.read_table(target)
    assert found.schema.names == ["n", "text", "when", "ents", "cats"]
    assert [found.schema.field(name).type for name in ("n", "when")] == [small.type, moment.type]
    assert found["when"].to_pylist() == moment.to_pylist()
    ents = found.to_pandas()["ents"]
    assert [[ent["text"] for ent in row] for row in ents] == [["Cádiz"], [], ["León"]]
    assert pa.types.is_struct(found.schema.field("ents").type.value_type)


def doc() -> Doc:
    return Doc(spacy.blank("es").vocab, [])


def parquet(tmp_path: Path, *parts: list[dict]) -> pa.Table:
    paths = []
    for number, rows in enumerate(parts):
        table = ParquetTable()
        for row in rows:
            table.add(row, {"ents": [], "cats": {}}, doc())
        paths.append(tmp_path / str(number))
        paths[-1].write_bytes(table.part())
    ParquetTable.join(paths, tmp_path / "whole.parquet")
    return pq.read_table(tmp_path / "whole.parquet")


def test_columns_that_differ_between_rows_or_parts_find_a_common_type(tmp_path):
    table = parquet(
        tmp_path,
        [{"n": 1, "o": {"a": 1}, "l": [1]}, {"n": None, "o": {"b": "x"}, "l": []}],
        [{"n": 1.5, "o": {"a": 2.5}, "m": True}, {"n": 2, "m": "yes"}],
        [],
        [{"n": 2, "e": {}, "big": 10**30, "m": 1}],
    )
    rows = table.to_pylist()
    assert [row["n"] for row in rows] == [1.0, None, 1.5, 2.0, 2.0]
    assert [row["o"] for row in rows] == [
        *({"a": 1.0, "b": None}, {"a": None, "b": "x"}, {"a": 2.5, "b": None}),
        *(None, None),
    ]
    assert [row["m"] for row in rows] == [None, None, "true", "yes", "1"]
    assert (rows[4]["e"], rows[4]["big"]) == ("{}", str(10**30))
    assert [row["l"] for row in rows] == [[1], [], None, None, None]


def test_no_rows_at_all_make_a_table_that_can_be_read(rules, tmp_path):
    (tmp_path / "in.txt").write_text("", "utf-8")
    annotate(rules, tmp_path / "in.txt", tmp_path / "out.parquet")
    assert len(pq.read_table(tmp_path / "out.parquet").to_pandas()) == 0
    annotate(rules, tmp_path / "in.txt", tmp_path / "out.spacy")
    assert len(DocBin().from_disk(tmp_path / "out.spacy")) == 0


def test_documents_keep_entities_sentences_and_columns(rules, tmp_path):
    write(tmp_path / "in.jsonl")
    annotate(rules, tmp_path / "in.jsonl", tmp_path / "out.spacy")
    found = DocBin(store_user_data=True).from_disk(tmp_path / "out.spacy")
    docs = list(found.get_docs(spacy.blank("es").vocab))
    assert [[ent.text for ent in doc.ents] for doc in docs] == [["Cádiz"], [], ["León"]]
    assert [doc.user_data["row"] for doc in docs] == [{"source": row["source"]} for row in ROWS]
    assert all(doc.has_annotation("SENT_START") for doc in docs)


def test_values_that_json_lacks():
    from datetime import datetime
    from decimal import Decimal

    row = {"d": datetime(2024, 5, 1), "x": Decimal("1.50"), "b": b"ab", "n": [float("nan"), 1.0]}
    expected = {"d": "2024-05-01T00:00:00", "x": "1.50", "b": "YWI=", "n": [None, 1.0]}
    assert json.loads(json_line(row)) == expected
    with pytest.raises(ValueError, match="half a surrogate pair"):
        json_line({"title": "\ud83d"})
    with pytest.raises(ValueError, match="a set, which JSON does not support"):
        json_line({"title": {1}})


def test_compressed_parts_make_one_file(rules, tmp_path):
    write(tmp_path / "in.jsonl")
    for suffix in (".gz", ".xz", ".zst"):
        target = tmp_path / f"out.jsonl{suffix}"
        annotate(rules, tmp_path / "in.jsonl", target, batch_size=1)
        assert [record["text"] for record in read_records(str(target))] == [
            row["text"] for row in ROWS
        ]
