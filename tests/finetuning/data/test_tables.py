"""Tables as spreadsheets export them."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_selectra.components.corpora.labelled import pairs_reader, text_reader
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.config import DataSettings
from spacy_selectra.finetuning.data.dataset import Example, read_dataset, read_split
from spacy_selectra.finetuning.tasks.registry import TASKS

NLP = spacy.blank("es")
TOPICS = TASKS["topics"]
ROWS = [("Gana el Cádiz; y bien", "deportes"), ("Vacunas, ya", "salud")]
EXAMPLES = [Example(text, None, label) for text, label in ROWS]


def table(rows: list[Any], separator: str, end: str = "\r\n") -> str:
    stream = io.StringIO()
    csv.writer(stream, delimiter=separator, lineterminator=end).writerows(rows)
    return stream.getvalue()


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def read_everywhere(path: Path) -> list[Example]:
    """What fine-tuning reads, after seeing that `spacy train` reads the same."""
    found = read_split(TOPICS, str(path))
    docs = [example.reference for example in text_reader(path)(NLP)]
    assert [doc.text for doc in docs] == [example.text for example in found]
    best = [max(doc.cats, key=lambda name: doc.cats[name]) for doc in docs]
    assert best == [example.label for example in found]
    return found


@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_whatever_a_spreadsheet_writes(tmp_path: Path, separator: str, encoding: str, end: str):
    text = table([("text", "label"), *ROWS, ("", ""), ("", "")], separator, end)
    assert read_everywhere(write(tmp_path / "a.csv", text, encoding)) == EXAMPLES


def test_a_line_that_names_the_separator(tmp_path: Path):
    path = write(tmp_path / "a.csv", "sep=;\n" + table([("text", "label"), *ROWS], ";"))
    assert read_everywhere(path) == EXAMPLES
    path = write(tmp_path / "b.csv", "\nsep=,\n\n" + table([("text", "label"), *ROWS], ","))
    assert read_everywhere(path) == EXAMPLES


def test_a_separator_that_occurs_more_often_in_the_header_than_the_real_one(tmp_path: Path):
    path = write(tmp_path / "a.csv", 'text;label;"a, b, c, d"\nHola;x;1\nAdiós;y;2\n')
    assert [example.label for example in read_everywhere(path)] == ["x", "y"]
    path = write(tmp_path / "b.csv", "text;label;a,b,c,d\nHola;x;1\nAdiós;y;2\n")
    assert [example.label for example in read_everywhere(path)] == ["x", "y"]


def test_columns_without_name(tmp_path: Path):
    """Numbers of rows, as pandas writes them, and empty columns at the end of a sheet."""
    path = write(tmp_path / "a.csv", ";text;label;;\n0;Hola;x;;\n1;Adiós;y;;\n;;;;\n")
    assert read_everywhere(path) == [Example("Hola", None, "x"), Example("Adiós", None, "y")]


def test_columns_under_other_names(tmp_path: Path):
    path = write(tmp_path / "a.csv", "Texto ;Etiqueta;label\nHola;x;1\nAdiós;y;2\n")
    names = {"text_column": "Texto", "label_column": "Etiqueta"}
    data = DataSettings(name="x", train=str(path), dev=str(path), **names)
    assert [example.label for example in read_dataset(TOPICS, data).train] == ["x", "y"]
    docs = [example.reference for example in text_reader(path, **names)(NLP)]
    assert docs[0].cats == {"x": 1.0, "y": 0.0}
    with pytest.raises(SelectraError, match=r"needs text/label or .* Texto/Etiqueta/label"):
        read_split(TOPICS, str(path))
    with pytest.raises(SelectraError, match="pair_column is for pairs of texts"):
        read_dataset(TOPICS, data.model_copy(update={"pair_column": "a"}))


def test_pairs_and_entities_under_other_names(tmp_path: Path):
    path = write(tmp_path / "a.csv", "a;b;clase\nLlueve;Hace sol;0\nUno;Dos;1\n")
    names = {"text_column": "a", "pair_column": "b", "label_column": "clase"}
    data = DataSettings(name="x", train=str(path), dev=str(path), **names)
    found = read_dataset(TASKS["paraphrase"], data).train
    assert found[0] == Example("Llueve", "Hace sol", "different")
    docs = [example.reference for example in pairs_reader(path, **names)(NLP)]
    assert [doc.text for doc in docs] == ["Llueve\nHace sol", "Uno\nDos"]
    path = write(tmp_path / "a.jsonl", '{"frase": "Ana va", "marcas": [[0, 3, "PER"]]}\n')
    names = {"text_column": "frase", "label_column": "marcas"}
    data = DataSettings(name="x", train=str(path), dev=str(path), **names)
    assert read_dataset(TASKS["ner"], data).train[0].tags == ["B-PER", "O"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("text;label\na;b\nc\n", "line 3: not 2 columns separated by ';', as in the header, but"),
        ("text;label\na;b;c\n", "line 2: not 2 columns"),
        ("sep=;\ntext;label\na\n", "line 3: not 2 columns"),
        ('text,label\na,"b\nc,d\n', "line 3: not CSV"),  # a quotation mark that is never closed
        ("text;label;text\na;b;c\n", "line 1: two columns are called 'text'"),
        ("text,label\na,\n", "line 2: column 'label' is empty"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line(tmp_path: Path, text: str, message: str):
    path = write(tmp_path / "a.csv", text)
    with pytest.raises(SelectraError, match=message):
        read_split(TOPICS, str(path))
    with pytest.raises(SelectraError, match=message):
        list(text_reader(path)(NLP))


def test_tab_separated_headers_are_checked_alike(tmp_path: Path):
    path = write(tmp_path / "a.tsv", "text\ttext\tlabel\na\tb\tc\n")
    with pytest.raises(SelectraError, match="line 1: two columns are called 'text'"):
        read_split(TOPICS, str(path))
    same = write(tmp_path / "b.tsv", "igual\tigual\t5\n")  # a row, not a header
    assert read_split(TASKS["sts_es"], str(same))[0].value == 5


def test_bytes_of_windows(tmp_path: Path):
    path = write(tmp_path / "a.csv", "text;label\n5 €;x\n", "cp1252")
    with pytest.raises(SelectraError, match=r"line 2: not UTF-8 .*iconv -f cp1252"):
        read_split(TOPICS, str(path))


FIELD = st.text(st.sampled_from("aé;,|\t\n \"'"), min_size=1, max_size=8).filter(str.strip)


@settings(deadline=None)
@given(rows=st.lists(st.tuples(FIELD, FIELD), min_size=1), separator=st.sampled_from(";,\t|"))
def test_any_table_is_read_as_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], separator: str
):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    write(path, table([("text", "label"), *rows], separator, "\n"))
    found = [(example.text, example.label) for example in read_split(TOPICS, str(path))]
    assert found == [(text, " ".join(label.split())) for text, label in rows]


def test_invisible_characters_in_the_header_and_long_fields(tmp_path: Path):
    text = "Ana " * 50_000
    path = write(tmp_path / "a.csv", f"\u200btext\u00a0;la\u00adbel\n{text.strip()};a\nb;c\n")
    assert [example.text for example in read_everywhere(path)] == [text.strip(), "b"]
