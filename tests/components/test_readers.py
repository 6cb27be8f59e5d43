"""Corpora: entities from columns, labelled texts and pairs, and what is wrong with files."""

from __future__ import annotations

import gzip

import pytest
import spacy
from spacy import registry

from spacy_selectra.components.corpora.labelled import (
    conll_reader,
    pairs_reader,
    read_entities,
    text_reader,
)
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.conll import read_sentences

CONLL = """-DOCSTART- O

Melbourne B-LOC
( O
Australia B-LOC
) O
, O
25 O

El O
señor O
Íñigo B-PER
Peña I-PER
vive O
. O

-DOCSTART- O

" O
¿ O
Sí O
? O
" O
"""


@pytest.fixture
def nlp():
    return spacy.blank("es")


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def test_conll(nlp, tmp_path):
    path = write(tmp_path / "a.conll", CONLL)
    examples = list(conll_reader(path)(nlp))
    assert [example.text for example in examples] == [
        "Melbourne (Australia), 25",
        "El señor Íñigo Peña vive.",
        '"¿Sí?"',
    ]
    first, second, third = (example.reference for example in examples)
    assert [(e.text, e.label_) for e in first.ents] == [("Melbourne", "LOC"), ("Australia", "LOC")]
    assert [(e.text, e.label_) for e in second.ents] == [("Íñigo Peña", "PER")]
    assert third.ents == ()
    assert third.has_annotation("ENT_IOB")
    assert not examples[1].predicted.ents
    assert [t.text for t in examples[1].predicted] == [t.text for t in second]


def test_conll_grouping_stops_at_documents(nlp, tmp_path):
    path = write(tmp_path / "a.conll", CONLL)
    docs = [example.reference for example in conll_reader(path, sentences_per_doc=10)(nlp)]
    assert [doc.text for doc in docs] == [
        "Melbourne (Australia), 25 El señor Íñigo Peña vive.",
        '"¿Sí?"',
    ]
    assert [len(list(doc.sents)) for doc in docs] == [2, 1]
    assert [e.text for e in docs[0].ents] == ["Melbourne", "Australia", "Íñigo Peña"]
    assert len(list(conll_reader(path, limit=1)(nlp))) == 1


def test_label_map(nlp, tmp_path):
    path = write(tmp_path / "a.conll", CONLL)
    docs = [example.reference for example in conll_reader(path, label_map={"LOC": "GPE"})(nlp)]
    assert [e.label_ for doc in docs for e in doc.ents] == ["GPE", "GPE", "PER"]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("I-PER I-PER O I-LOC", [(0, 2, "PER"), (3, 4, "LOC")]),  # IOB1
        ("I-PER B-PER I-PER O", [(0, 1, "PER"), (1, 3, "PER")]),  # IOB1, neighbours
        ("B-PER I-PER B-PER O", [(0, 2, "PER"), (2, 3, "PER")]),  # IOB2
        ("B-PER I-LOC O O", [(0, 1, "PER"), (1, 2, "LOC")]),  # a type changes
        ("S-PER S-PER B-LOC E-LOC", [(0, 1, "PER"), (1, 2, "PER"), (2, 4, "LOC")]),  # IOBES
        ("B-PER E-PER I-PER O", [(0, 2, "PER"), (2, 3, "PER")]),
    ],
)
def test_tag_schemes(tmp_path, tags, expected):
    lines = "".join(f"w{i}\tNOUN\t{tag}\n" for i, tag in enumerate(tags.split()))
    path = write(tmp_path / "a.conll", lines)
    sentences = [sentence for sentence in read_sentences(path) if sentence]
    assert [sentence.entities for sentence in sentences] == [expected]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no sentences"),
        ("\n\n", "no sentences"),
        ("Hola O\nsolo\n", "line 2: a word without a tag"),
        ("Hola O\n\nCádiz LOC\n", "line 3: 'LOC' is not an entity tag"),
        ("Hola X-LOC\n", "line 1: 'X-LOC' is not an entity tag"),
    ],
)
def test_malformed_conll(nlp, tmp_path, text, message):
    path = write(tmp_path / "a.conll", text)
    with pytest.raises(SelectraError, match=message):
        list(conll_reader(path)(nlp))


def test_latin1_and_missing(nlp, tmp_path):
    path = write(tmp_path / "a.conll", "Hola O\nCádiz B-LOC\n", "latin-1")
    with pytest.raises(SelectraError, match=r"line 2: not UTF-8.*iconv"):
        list(conll_reader(path)(nlp))
    with pytest.raises(SelectraError, match="no such file"):
        list(conll_reader(tmp_path / "b.conll")(nlp))
    with pytest.raises(SelectraError, match="no path"):
        conll_reader(None)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "a.jsonl",
            '{"text": "Gana el Cádiz", "label": "deporte"}\n\n{"text": "Ñu", "label": "ciencia"}\n',
        ),
        ("a.tsv", "label\ttext\ndeporte\tGana el Cádiz\nciencia\tÑu\n"),
        ("A.TSV", 'label\ttext\ndeporte\t"Gana el Cádiz"\nciencia\tÑu\n'),
    ],
)
def test_texts(nlp, tmp_path, name, text):
    examples = list(text_reader(write(tmp_path / name, text))(nlp))
    assert [example.text for example in examples] == ["Gana el Cádiz", "Ñu"]
    assert examples[0].reference.cats == {"ciencia": 0.0, "deporte": 1.0}
    assert examples[1].reference.cats == {"ciencia": 1.0, "deporte": 0.0}
    assert examples[0].predicted.cats == {}
    limited = list(text_reader(tmp_path / name, limit=1)(nlp))
    assert limited[0].reference.cats == examples[0].reference.cats


def test_labels_can_be_given(nlp, tmp_path):
    path = write(tmp_path / "a.jsonl", '{"text": "a", "label": "x"}\n{"text": "b", "label": "z"}\n')
    first = next(iter(text_reader(path, labels=["z", "y", "x"])(nlp)))
    assert list(first.reference.cats) == ["z", "y", "x"]
    with pytest.raises(SelectraError, match="line 2: label 'z' is not one of x"):
        list(text_reader(path, labels=["x"])(nlp))


def test_plain_text(nlp, tmp_path):
    path = write(tmp_path / "a.txt", "Uno.\nDos.\n\nTres, niño.\n")
    examples = list(text_reader(path)(nlp))
    assert [example.text for example in examples] == ["Uno.\nDos.", "Tres, niño."]
    assert examples[0].reference.cats == {}


@pytest.mark.parametrize("keys", [("premise", "hypothesis"), ("sentence1", "sentence2")])
def test_pairs(nlp, tmp_path, keys):
    line = f'{{"{keys[0]}": "Llueve mucho.", "{keys[1]}": "Está mojado.", "label": 1}}\n'
    [example] = pairs_reader(write(tmp_path / "a.jsonl", line))(nlp)
    assert [span.text for span in example.reference.spans["pair"]] == [
        "Llueve mucho.",
        "Está mojado.",
    ]
    assert example.reference.cats == {"1": 1.0}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", "", "no rows"),
        ("a.jsonl", '{"text": "a"}\n', "missing column .* needs text/label"),
        ("a.jsonl", '{"text": "a", "label": "b"}\n{"text"\n', "line 2: not JSON"),
        ("a.jsonl", "[1]\n", "line 1: not a JSON object"),
        ("a.tsv", "text\tlabel\na\tb\nc\n", "line 3: 1 columns, the header has 2"),
        ("a.csv", "text,label\n", "no rows"),
        ("a.xlsx", "text", r"unknown format \(use .jsonl, .json, .tsv, .csv"),
        ("a.jsonl.gz", '{"text": "a", "label": "b"}\n', "damaged or truncated .gz"),
    ],
)
def test_malformed_texts(nlp, tmp_path, name, text, message):
    with pytest.raises(SelectraError, match=message):
        list(text_reader(write(tmp_path / name, text))(nlp))


@pytest.mark.parametrize("name", ["Conll", "Text", "Pairs"])
def test_registered(name):
    assert callable(registry.readers.get(f"spacy-selectra.{name}.v1"))


@pytest.mark.parametrize(
    ("factory", "reader"),
    [
        ("textcat", text_reader),
        ("textcat_multilabel", text_reader),
        ("textcat", pairs_reader),
        ("ner", conll_reader),
    ],
)
def test_labels_that_training_does_not_hold(nlp, tmp_path, factory, reader):
    """`spacy train` reads the development file when the pipeline has been initialized."""
    if reader is conll_reader:
        train = write(tmp_path / "train.conll", "Ana B-PER\nva O\n\nLeón B-LOC\n")
        some = write(tmp_path / "some.conll", "Ana B-PER\n")
        dev = write(tmp_path / "dev.conll", "Ana B-PER\nNavidad B-NUEVA\n")
        known, unknown = "LOC, PER", "NUEVA"
    else:
        header = "text\tlabel\n" if reader is text_reader else "text1\ttext2\tlabel\n"
        other = "" if reader is text_reader else "otro\t"
        train = write(tmp_path / "train.tsv", f"{header}uno\t{other}a\ndos\t{other}b\n")
        some = write(tmp_path / "some.tsv", f"{header}tres\t{other}a\n")
        dev = write(tmp_path / "dev.tsv", f"{header}tres\t{other}a\ncuatro\t{other}c\n")
        known, unknown = "a, b", "c"
    nlp.add_pipe(factory)
    assert len(list(reader(dev)(nlp))) > 0  # nothing is known yet
    nlp.initialize(lambda: reader(train)(nlp))
    assert len(list(reader(train)(nlp))) == 2
    assert len(list(reader(some)(nlp))) == 1
    with pytest.raises(
        SelectraError, match=f"dev.*: label '{unknown}' is not one of .* in training: {known}$"
    ):
        list(reader(dev)(nlp))


def test_labels_are_those_of_all_components(nlp, tmp_path):
    """A component that is not trained may know fewer than the one that is."""
    train = write(tmp_path / "a.conll", "Ana B-PER\n")
    more = write(tmp_path / "b.conll", "Ana B-PER\nLeón B-LOC\n")
    nlp.add_pipe("ner", name="frozen").initialize(lambda: conll_reader(train)(nlp), nlp=nlp)
    nlp.add_pipe("ner", name="new")
    new = nlp.get_pipe("new")
    new.initialize(lambda: conll_reader(more)(nlp), nlp=nlp)
    assert set(new.labels) == {"LOC", "PER"}
    assert len(list(conll_reader(more)(nlp))) == 1


def test_measuring_may_meet_other_labels(nlp, tmp_path):
    train = write(tmp_path / "a.conll", "Ana B-PER\n")
    nlp.add_pipe("ner")
    nlp.initialize(lambda: conll_reader(train)(nlp))
    ((_, example),) = read_entities(nlp, write(tmp_path / "b.conll", "León B-LOC\n"), {})
    assert example.reference.ents[0].label_ == "LOC"


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx", "a.conllu", "a.parquet"])
def test_kinds_of_files_that_hold_no_entities(nlp, tmp_path, name):
    with pytest.raises(SelectraError, match=r"unknown format \(use \.jsonl, \.json, \.spacy, or"):
        list(conll_reader(write(tmp_path / name, "Ana O\n"))(nlp))


def test_compressed_rows(nlp, tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress("text;category\nÑu;a\nOso;b\n".encode()))
    assert [example.text for example in text_reader(tmp_path / "a.csv.gz")(nlp)] == ["Ñu", "Oso"]
