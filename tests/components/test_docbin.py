"""spaCy's own documents wherever labelled files are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from spacy_selectra.components.corpora.docbin import FORMATS, docbin_rows
from spacy_selectra.components.corpora.labelled import conll_reader, text_reader
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.config import DataSettings
from spacy_selectra.finetuning.data.dataset import (
    Example,
    TaggedWords,
    read_dataset,
    read_unlabelled,
)
from spacy_selectra.finetuning.tasks.registry import TASKS
from spacy_selectra.serving.bulk.rows import read_records
from tests.finetuning.tiny import save_discriminator

NLP = spacy.blank("es")
CONFIGS = Path(__file__).parents[2] / "configs"


def save(path: Path, *docs: Doc) -> str:
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    return str(path)


def marked(text: str, *spans: tuple[int, int, str]) -> Doc:
    doc = NLP(text)
    doc.ents = [Span(doc, *span) for span in spans]
    return doc


def classified(text: str, **cats: float) -> Doc:
    doc = NLP(text)
    doc.cats = cats
    return doc


def dataset(task: str, path: str) -> list[Any]:
    return read_dataset(TASKS[task], DataSettings(name="x", train=path, dev=path), FORMATS).train


def test_entities(tmp_path: Path):
    docs = [marked("Ana Gil vive en León.", (0, 2, "PER "), (4, 5, "LOC")), marked("No.")]
    path = save(tmp_path / "a.spacy", *docs, NLP(""))
    words = [["Ana", "Gil", "vive", "en", "León", "."], ["No", "."]]
    tags = [["B-PER", "I-PER", "O", "O", "B-LOC", "O"], ["O", "O"]]
    assert dataset("ner", path) == [TaggedWords(*pair) for pair in zip(words, tags, strict=True)]
    for source in (path, str(tmp_path)):  # spaCy takes folders, too
        first, second = conll_reader(source, label_map={"PER": "PERSONA"})(NLP)
        ents = [(e.text, e.label_) for e in first.reference.ents]
        assert ents == [("Ana Gil", "PERSONA"), ("León", "LOC")]
        assert (first.predicted.text, len(first.predicted.ents)) == (docs[0].text, 0)
        assert second.reference.text == "No."
    assert len(list(conll_reader(path, limit=1)(NLP))) == 1


def test_words_whose_spaces_are_not_known_stay_as_they_are(tmp_path: Path):
    doc = Doc(NLP.vocab, words=["Ana", "-", "Gil"])
    doc.ents = [Span(doc, 0, 1, "PER")]
    (example,) = conll_reader(save(tmp_path / "a.spacy", doc))(NLP)
    assert [token.text for token in example.predicted] == ["Ana", "-", "Gil"]


def test_categories(tmp_path: Path):
    docs = [classified("Gol", deporte=1.0, salud=0.0), classified("Virus", deporte=0.0, salud=1.0)]
    path = save(tmp_path / "a.spacy", *docs)
    assert dataset("topics", path) == [
        Example("Gol", None, "deporte"),
        Example("Virus", None, "salud"),
    ]
    found = [example.reference.cats for example in text_reader(path)(NLP)]
    assert found == [doc.cats for doc in docs]
    with pytest.raises(SelectraError, match="document 1: label 'salud' is not one of deporte"):
        list(text_reader(path, labels=["deporte"])(NLP))


def test_parts_of_speech_and_texts_without_labels(tmp_path: Path):
    doc = Doc(NLP.vocab, words=["Ana", "canta"], pos=["PROPN", "VERB"])
    path = save(tmp_path / "a.spacy", doc)
    assert dataset("pos", path) == [TaggedWords(["Ana", "canta"], ["PROPN", "VERB"])]
    assert read_unlabelled(TASKS["ner"], path, FORMATS) == [TaggedWords(["Ana", "canta"], [])]
    assert read_unlabelled(TASKS["topics"], path, FORMATS) == [Example("Ana canta ", None, "")]


def test_several_categories_are_for_spacy_train_only(tmp_path: Path):
    path = save(tmp_path / "a.spacy", classified("Gol", a=1.0, b=1.0), classified("No", a=0, b=1))
    assert [e.reference.cats["a"] for e in text_reader(path)(NLP)] == [1.0, 0.0]
    with pytest.raises(SelectraError, match=r"document 1: column 'label' .* list \(\['a', 'b'\]\)"):
        dataset("topics", path)


def test_two_categories_of_one_name(tmp_path: Path):
    path = save(tmp_path / "a.spacy", classified("Gol", **{"a": 1.0, "a ": 0.0}))
    for read in (lambda: list(text_reader(path)(NLP)), lambda: dataset("topics", path)):
        with pytest.raises(SelectraError, match="document 1: two categories have the name 'a'"):
            read()


def test_unusable_files(tmp_path: Path):
    (tmp_path / "a.spacy").write_bytes(b"no DocBin")
    for read in (
        lambda: list(docbin_rows(tmp_path / "a.spacy")),
        lambda: list(conll_reader(tmp_path / "a.spacy")(NLP)),
        lambda: list(text_reader(tmp_path / "a.spacy")(NLP)),
        lambda: list(read_records(str(tmp_path / "a.spacy"))),
    ):
        with pytest.raises(SelectraError, match="not a file written by spaCy's DocBin"):
            read()
    with pytest.raises(SelectraError, match="no such file"):
        list(docbin_rows(tmp_path / "b.spacy"))
    with pytest.raises(SelectraError, match="contains no documents"):
        list(docbin_rows(Path(save(tmp_path / "c.spacy"))))
    with pytest.raises(SelectraError, match=r"missing column .*there are text/tokens"):
        dataset("ner", save(tmp_path / "d.spacy", NLP("Sin marcas")))
    partly = marked("Ana Gil")
    partly.set_ents([], missing=[partly[1:2]])
    with pytest.raises(SelectraError, match=r"document 1: entity annotation is missing for 'Gil'"):
        dataset("ner", save(tmp_path / "e.spacy", partly))
    with pytest.raises(SelectraError, match=r"unknown format \(use SQuAD's \.json"):
        dataset("qa", str(tmp_path / "a.spacy"))


def test_annotate_takes_the_texts(tmp_path: Path):
    path = save(tmp_path / "a.spacy", marked("Ana.", (0, 1, "PER")), NLP("Dos"))
    assert list(read_records(path, "cuerpo")) == [{"cuerpo": "Ana."}, {"cuerpo": "Dos"}]


def test_the_command(tmp_path: Path):
    docs = [marked("Ana vive en León.", (0, 1, "PER"), (3, 4, "LOC")) for _ in range(8)]
    path = save(tmp_path / "a.spacy", *docs)
    values = {
        "encoder.path": save_discriminator(tmp_path / "discriminator"),
        "data.train": path,
        "data.dev": path,
        "data.test": path,
        "training.epochs": 1,
    }
    options = [part for name, value in values.items() for part in (f"--{name}", str(value))]
    command = ["finetune", str(CONFIGS / "finetune_ner.cfg"), str(tmp_path / "out"), *options]
    command += ["--task.name", "ner", "--trials", "1", "--quiet", "--json"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["labels"] == ["LOC", "PER"]
