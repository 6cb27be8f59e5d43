"""selectra_ner: learns, annotates as spaCy's ner does, travels."""

from __future__ import annotations

import warnings

import pytest
import spacy
from spacy.tokens import Span
from spacy.training import Example

from spacy_selectra.errors import SelectraError

DATA = [
    ("La señora García vive en Málaga.", [(10, 16, "PER"), (25, 31, "LOC")]),
    ("El tren salió hacia Zaragoza...", [(20, 28, "LOC")]),
    ("Íñigo García comió piñón en Cádiz.", [(0, 12, "PER"), (28, 33, "LOC")]),
    ("¡Qué frío!", []),
]


def examples(nlp):
    return [Example.from_dict(nlp.make_doc(text), {"entities": ents}) for text, ents in DATA]


@pytest.fixture
def nlp(make_nlp):
    pipeline = make_nlp()
    pipeline.add_pipe("selectra_ner")
    pipeline.initialize(lambda: examples(pipeline))
    return pipeline


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


def test_learns_and_moves_the_encoder(nlp):
    before = nlp.get_pipe("transformer").model.to_bytes()
    losses = train(nlp)
    assert losses[-1] < 0.2 * losses[0]
    assert nlp.get_pipe("transformer").model.to_bytes() != before
    assert [entities(doc) for doc in nlp.pipe([text for text, _ in DATA])] == [
        ents for _, ents in DATA
    ]
    assert nlp.evaluate(examples(nlp))["ents_f"] == 1.0
    assert nlp.get_pipe("selectra_ner").labels == ("LOC", "PER")


def test_missing_annotations_do_not_count(nlp):
    component = nlp.get_pipe("selectra_ner")
    texts = [text for text, _ in DATA]
    unknown = [Example.from_dict(nlp.make_doc(text), {}) for text in texts]
    scores = [component.model.ops.alloc2f(len(example.predicted), 5) + 1 for example in unknown]
    loss, gradients = component.get_loss(unknown, scores)
    assert loss == 0
    assert all(not gradient.any() for gradient in gradients)
    assert [len(gradient) for gradient in gradients] == [len(nlp.make_doc(text)) for text in texts]


@pytest.mark.parametrize("space", ["  ", "\n", " \n\n", "\t", " \u200b ", " \ufffd "])
def test_white_space_changes_nothing(nlp, space):
    train(nlp)
    for text, ents in DATA:
        doc = nlp(f"{space}{text.replace(' ', space)}{space}")
        found = [
            " ".join(ent.text.replace("\u200b", " ").replace("\ufffd", " ").split())
            for ent in doc.ents
        ]
        assert found == [text[begin:end] for begin, end, _ in ents], doc
        assert [ent.label_ for ent in doc.ents] == [label for _, _, label in ents]
        assert not any(ent[0].is_space or ent[-1].is_space for ent in doc.ents)
    assert nlp(space * 3).ents == ()


def test_white_space_does_not_count_in_training(nlp):
    component = nlp.get_pipe("selectra_ner")
    doc = nlp.make_doc("Íñigo\n\nGarcía\n")
    example = Example.from_dict(doc, {"entities": [(0, 13, "PER")]})
    _, (gradient,) = component.get_loss([example], [component.model.ops.alloc2f(len(doc), 5)])
    assert [bool(row.any()) for row in gradient] == [not word.is_space for word in doc]


def test_ruled_out_words_stay_free(nlp):
    train(nlp)
    doc = nlp.make_doc(DATA[0][0])
    place = next(word.i for word in doc if word.text == "Málaga")
    doc.set_ents([], blocked=[doc[place : place + 1]], default="unmodified")
    for _, component in nlp.pipeline:
        doc = component(doc)
    assert entities(doc) == [(10, 16, "PER")]
    assert (doc[place].ent_iob, doc[place].ent_type_) == (3, "")


def test_types_it_cannot_learn_are_announced_once(nlp):
    new = [Example.from_dict(nlp.make_doc("El martes."), {"entities": [(3, 9, "FECHA")]})]
    with pytest.warns(UserWarning, match="learns nothing of FECHA: .* for LOC, PER"):
        nlp.update(new)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp.update(new)


def test_entities_that_are_there_stay(nlp):
    train(nlp)
    doc = nlp.make_doc(DATA[0][0])
    whole = Span(doc, 0, 3, label="TITLE")
    doc.set_ents([whole], default="missing")
    for _, component in nlp.pipeline:
        doc = component(doc)
    assert entities(doc) == [(0, 16, "TITLE"), (25, 31, "LOC")]


def test_empty_documents_and_no_tokens(nlp):
    assert [entities(doc) for doc in nlp.pipe(["", "  ", ""])] == [[], [], []]


def test_disk_and_bytes(nlp, tmp_path):
    train(nlp)
    expected = [entities(nlp(text)) for text, _ in DATA]
    nlp.to_disk(tmp_path / "pipeline")
    loaded = spacy.load(tmp_path / "pipeline")
    assert [entities(loaded(text)) for text, _ in DATA] == expected
    again = spacy.blank("es").from_config(nlp.config).from_bytes(nlp.to_bytes())
    assert [entities(again(text)) for text, _ in DATA] == expected


def test_takes_its_own_copy_of_the_transformer(nlp):
    train(nlp)
    expected = [entities(nlp(text)) for text, _ in DATA]
    nlp.replace_listeners("transformer", "selectra_ner", ["model.tok2vec"])
    nlp.remove_pipe("transformer")
    assert [entities(nlp(text)) for text, _ in DATA] == expected


def test_labels_come_from_the_data_or_from_the_caller(make_nlp, nlp):
    with pytest.raises(SelectraError, match="cannot be added"):
        nlp.get_pipe("selectra_ner").add_label("ORG")
    assert nlp.get_pipe("selectra_ner").add_label("LOC") == 0
    other = make_nlp()
    component = other.add_pipe("selectra_ner")
    with pytest.raises(SelectraError, match="not one entity"):
        other.initialize(lambda: examples(other)[3:])
    component.initialize(lambda: examples(other), nlp=other, labels=["ORG"])
    assert component.label_data == ["ORG"]
