"""selectra_ner: learns, annotates as spaCy's ner does, travels."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_selectra.components.entity_spans import readable_words
from spacy_selectra.errors import SelectraError
from spacy_selectra.text.boundaries import SPACED, after_boundaries, separates

DATA = [
    ("La señora García vive en Málaga.", [(10, 16, "PER"), (25, 31, "LOC")]),
    ("El tren salió hacia Zaragoza...", [(20, 28, "LOC")]),
    ("Íñigo García comió piñón en Cádiz.", [(0, 12, "PER"), (28, 33, "LOC")]),
    ("¡Qué frío!", []),
]


def examples(nlp):
    return [Example.from_dict(nlp.make_doc(text), {"entities": ents}) for text, ents in DATA]


def untrained(make_nlp):
    spacy.util.fix_random_seed(0)
    pipeline = make_nlp()
    pipeline.add_pipe("selectra_ner")
    pipeline.initialize(lambda: examples(pipeline))
    return pipeline


@pytest.fixture
def nlp(make_nlp):
    return untrained(make_nlp)


@pytest.fixture(scope="module")
def training(make_nlp):
    """The losses of a training, and what it leaves."""
    pipeline = untrained(make_nlp)
    losses = train(pipeline)
    return losses, pipeline.to_bytes()


@pytest.fixture
def trained(nlp, training):
    return nlp.from_bytes(training[1])


def train(nlp, steps=120):
    optimizer = nlp.create_optimizer()
    optimizer.learn_rate = 0.003
    batch = examples(nlp)
    losses = []
    for _ in range(steps):
        found: dict[str, float] = {}
        nlp.update(batch, sgd=optimizer, losses=found)
        losses.append(found["selectra_ner"])
    return losses


def entities(doc):
    return [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]


def test_learns_and_moves_the_encoder(make_nlp, trained, training):
    losses, _ = training
    assert losses[-1] < 0.5 * losses[0]
    before = untrained(make_nlp).get_pipe("transformer").model.to_bytes()
    assert trained.get_pipe("transformer").model.to_bytes() != before
    assert [entities(doc) for doc in trained.pipe([text for text, _ in DATA])] == [
        ents for _, ents in DATA
    ]
    assert trained.evaluate(examples(trained))["ents_f"] == 1.0
    assert trained.get_pipe("selectra_ner").labels == ("LOC", "PER")


def test_missing_annotations_do_not_count(nlp):
    component = nlp.get_pipe("selectra_ner")
    texts = [text for text, _ in DATA]
    unknown = [Example.from_dict(nlp.make_doc(text), {}) for text in texts]
    scores = [component.model.ops.alloc2f(len(example.predicted), 5) + 1 for example in unknown]
    loss, gradients = component.get_loss(unknown, scores)
    assert loss == 0
    assert all(not gradient.any() for gradient in gradients)
    assert [len(gradient) for gradient in gradients] == [len(nlp.make_doc(text)) for text in texts]


@pytest.mark.parametrize("space", ["  ", "\n", "\r\n", " \n ", " \u200b ", " \ufffd "])
def test_white_space_changes_nothing(trained, space):
    for text, ents in DATA:
        doc = trained(f"{space}{text.replace(' ', space)}{space}")
        found = [
            " ".join(ent.text.replace("\u200b", " ").replace("\ufffd", " ").split())
            for ent in doc.ents
        ]
        assert found == [text[begin:end] for begin, end, _ in ents], doc
        assert [ent.label_ for ent in doc.ents] == [label for _, _, label in ents]
        assert not any(ent[0].is_space or ent[-1].is_space for ent in doc.ents)
    assert trained(space * 3).ents == ()


def texts_of(nlp, text):
    return [entity.text for entity in nlp(text).ents]


def test_boundaries_end_entities(trained):
    tagger = trained.get_pipe("selectra_ner")
    wrapped = "Íñigo\nGarcía comió piñón en Cádiz."
    for text, value, expected in [
        (wrapped, "lines", ["Íñigo", "García", "Cádiz"]),
        (wrapped, "sentences", ["Íñigo\nGarcía", "Cádiz"]),
        ("Íñigo\n\nGarcía comió piñón en Cádiz.", "auto", ["Íñigo", "García", "Cádiz"]),
        ("Íñigo\tGarcía comió piñón en Cádiz.", "auto", ["Íñigo", "García", "Cádiz"]),
        ("Íñigo\n\nGarcía comió piñón en Cádiz.", "none", ["Íñigo\n\nGarcía", "Cádiz"]),
    ]:
        tagger.boundaries = value
        assert texts_of(trained, text) == expected
    with pytest.raises(SelectraError, match="boundaries = 'line' is not one of auto, sentences"):
        tagger.boundaries = "line"


@pytest.mark.parametrize("value", ["auto", "sentences", "lines", "none"])
def test_sentence_starts_that_are_set_end_entities(trained, value):
    tagger = trained.get_pipe("selectra_ner")
    tagger.boundaries, tagger.scores, tagger.alternatives = value, True, 0.001
    doc = trained.make_doc(DATA[2][0])
    doc[1].is_sent_start = True
    found = tagger.predict([trained.get_pipe("transformer")(doc)])
    doc = trained(doc)
    whole = value == "none"
    assert [entity.text for entity in doc.ents][:-1] == (
        ["Íñigo García"] if whole else ["Íñigo", "García"]
    )
    spans = [*doc.spans["ner"], *doc.spans["ner_alternatives"]]
    assert any(span.start < 1 < span.end for span in spans) == whole
    assert len(found[0].probabilities) == len(doc.ents)


@pytest.mark.parametrize("value", [None, "", " ", 3, ["ner"]])
def test_settings_are_checked_whenever_they_are_set(nlp, value):
    tagger = nlp.get_pipe("selectra_ner")
    with pytest.raises(SelectraError, match=r"spans_key = .* is not a name"):
        tagger.spans_key = value
    with pytest.raises(SelectraError, match=r"scores = .* is not True or False"):
        tagger.scores = value
    assert (tagger.spans_key, tagger.scores) == ("ner", False)


def test_the_way_with_boundaries_travels(nlp, tmp_path):
    nlp.add_pipe("selectra_ner", name="other", config={"boundaries": "lines"})
    nlp.initialize(lambda: examples(nlp))
    nlp.to_disk(tmp_path / "saved")
    loaded: Any = spacy.load(tmp_path / "saved")
    assert loaded.get_pipe("other").boundaries == "lines"
    assert loaded.get_pipe("selectra_ner").boundaries == "auto"


def test_white_space_does_not_count_in_training(nlp):
    component = nlp.get_pipe("selectra_ner")
    doc = nlp.make_doc("Íñigo\n\nGarcía\n")
    example = Example.from_dict(doc, {"entities": [(0, 13, "PER")]})
    _, (gradient,) = component.get_loss([example], [component.model.ops.alloc2f(len(doc), 5)])
    assert [bool(row.any()) for row in gradient] == [not word.is_space for word in doc]


def test_ruled_out_words_stay_free(trained):
    doc = trained.make_doc(DATA[0][0])
    place = next(word.i for word in doc if word.text == "Málaga")
    doc.set_ents([], blocked=[doc[place : place + 1]], default="unmodified")
    for _, component in trained.pipeline:
        doc = component(doc)
    assert entities(doc) == [(10, 16, "PER")]
    assert (doc[place].ent_iob, doc[place].ent_type_) == (3, "")


def test_types_it_cannot_learn_are_announced_once(nlp):
    new = [Example.from_dict(nlp.make_doc("El martes."), {"entities": [(3, 9, "FECHA")]})]
    with pytest.warns(UserWarning, match="ignores FECHA: .* for LOC, PER"):
        nlp.update(new)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp.update(new)


def test_entities_that_are_there_stay(trained):
    doc = trained.make_doc(DATA[0][0])
    whole = Span(doc, 0, 3, label="TITLE")
    doc.set_ents([whole], default="missing")
    for _, component in trained.pipeline:
        doc = component(doc)
    assert entities(doc) == [(0, 16, "TITLE"), (25, 31, "LOC")]


def test_what_reaches_into_an_entity_that_is_there_is_cut(trained):
    for blocked in (False, True):
        doc = trained.make_doc(DATA[2][0])
        there = doc[1:2]
        doc.set_ents(
            [] if blocked else [Span(doc, 1, 2, label="TITLE")],
            blocked=[there] if blocked else [],
            default="missing",
        )
        for _, component in trained.pipeline:
            doc = component(doc)
        expected = ["Íñigo", "Cádiz"] if blocked else ["Íñigo", "García", "Cádiz"]
        assert [entity.text for entity in doc.ents] == expected


@pytest.mark.parametrize("between", [" / ", " – ", " 👉 ", " ║ ", "\n2 ", " · ", "->"])
def test_separators_are_no_part_of_entities(trained, between):
    start = "1 " if "2" in between else ""
    text = f"{start}Íñigo García{between}García Íñigo"
    assert not any(set(entity.text) & set("/–👉║·->12\n") for entity in trained(text).ents)
    assert any(entity.text.startswith("Íñigo") for entity in trained(text).ents)


def test_empty_documents_and_no_tokens(nlp):
    assert [entities(doc) for doc in nlp.pipe(["", "  ", ""])] == [[], [], []]


def test_disk_and_bytes(trained, tmp_path):
    expected = [entities(trained(text)) for text, _ in DATA]
    trained.to_disk(tmp_path / "pipeline")
    loaded = spacy.load(tmp_path / "pipeline")
    assert [entities(loaded(text)) for text, _ in DATA] == expected
    again = spacy.blank("es").from_config(trained.config).from_bytes(trained.to_bytes())
    assert [entities(again(text)) for text, _ in DATA] == expected


def test_takes_its_own_copy_of_the_transformer(trained):
    expected = [entities(trained(text)) for text, _ in DATA]
    trained.replace_listeners("transformer", "selectra_ner", ["model.tok2vec"])
    trained.remove_pipe("transformer")
    assert [entities(trained(text)) for text, _ in DATA] == expected


def test_labels_come_from_the_data_or_from_the_caller(make_nlp, nlp):
    with pytest.raises(SelectraError, match="cannot be added"):
        nlp.get_pipe("selectra_ner").add_label("ORG")
    assert nlp.get_pipe("selectra_ner").add_label("LOC") == 0
    other = make_nlp()
    component = other.add_pipe("selectra_ner")
    with pytest.raises(SelectraError, match="no entities in the data"):
        other.initialize(lambda: examples(other)[3:])
    component.initialize(lambda: examples(other), nlp=other, labels=["ORG"])
    assert component.label_data == ["ORG"]


WORDS = [
    "Ana",
    "íd",
    "3",
    "«",
    "|",
    ";",
    "a;b",
    "/",
    "👉",
    "•",
    "\t",
    "\n",
    "\n\n",
    " ",
    "  ",
    "\x00",
    "\ufffd",
]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(WORDS), max_size=7), max_size=3),
    st.sampled_from(["auto", "lines", "sentences", "none"]),
    st.sampled_from([spacy.blank("es").vocab, Vocab()]),
    st.integers(0, 2**32 - 1),
)
def test_words_and_boundaries_are_those_of_the_definition(lists, bounds, vocab, seed):
    random = np.random.default_rng(seed)
    docs = []
    for words in lists:
        starts = [place == 0 or bool(random.random() < 0.2) for place in range(len(words))]
        spaces = (random.random(len(words)) < 0.6).tolist()
        docs.append(Doc(vocab, words=words, spaces=spaces, sent_starts=starts))
        if len(words) > 3 and random.random() < 0.5:
            docs[-1].set_ents([Span(docs[-1], 1, 2, "PER")], blocked=[docs[-1][2:3]])
    places, rows, firsts = readable_words(docs, bounds)
    expected_rows, expected_firsts, start, size = [], [], 0, 0
    looks = bounds in ("auto", "lines")
    for doc, own in zip(docs, places, strict=True):
        padded = f" {doc.text} "

        def separate(word, padded=padded):
            around = padded[word.idx] + padded[word.idx + len(word) + 1]
            return separates(word.text) or (SPACED.fullmatch(word.text) and not around.strip())

        kept = [word for word in doc if word.ent_iob not in (1, 3)]
        seen = [
            word.i
            for word in kept
            if any(c.isprintable() and not c.isspace() and c != "\ufffd" for c in word.text)
            and not (looks and separate(word))
        ]
        begins = np.array([doc[i].idx for i in seen], dtype=np.int64)
        ends = np.array([doc[i].idx + len(doc[i]) for i in seen], dtype=np.int64)
        apart = np.zeros(len(seen), dtype=bool)
        if looks and seen:
            apart = after_boundaries(doc.text, begins, ends, bounds == "lines")
        for number in range(1, len(seen)):
            between = range(seen[number - 1] + 1, seen[number] + 1)
            if bounds != "none" and any(doc[i].is_sent_start for i in between):
                apart[number] = True
            if any(doc[i].ent_iob in (1, 3) for i in between):
                apart[number] = True
        alone = apart & np.append(apart[1:], True)
        numbers = [looks and one and doc[i].text == "3" for one, i in zip(alone, seen, strict=True)]
        seen = [i for i, left_out in zip(seen, numbers, strict=True) if not left_out]
        apart = apart[~np.array(numbers, dtype=bool)]
        assert own.tolist() == seen
        expected_rows += [start + i for i in seen]
        expected_firsts += [size + int(i) for i in np.flatnonzero(apart)]
        start, size = start + len(doc), size + len(seen)
    assert rows.tolist() == expected_rows
    assert firsts.tolist() == expected_firsts
