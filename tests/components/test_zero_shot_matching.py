"""selectra_zero_shot with a matching model: labels in many ways, and it travels."""

from typing import Any

import numpy as np
import pytest
import spacy
from spacy.language import Language

from spacy_selectra.errors import SelectraError
from spacy_selectra.matching.calibrate import calibrate
from spacy_selectra.matching.storage import save_matching
from tests.matching.conftest import (  # noqa: F401
    SUBJECTS,
    corpus,
    model,
    sources,
    text_about,
    vectors,
)

LABELS = {"Fútbol": "gol", "Cocina": ["sartén", "receta con cebolla"], "Música": "concierto"}


@pytest.fixture(scope="module")
def directory(model, sources, tmp_path_factory):  # noqa: F811
    path = tmp_path_factory.mktemp("matching") / "model"
    save_matching(calibrate(model, sources), path)
    return str(path)


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(9)
    return [text_about(subject, rng) for subject in SUBJECTS]


def make(directory, **config) -> tuple[Language, Any]:
    nlp = spacy.blank("es")
    component = nlp.add_pipe("selectra_zero_shot", config={"model": directory, **config})
    return nlp, component


def test_sets_cats(directory, texts):
    nlp, component = make(directory, labels=LABELS)
    assert component.labels == tuple(LABELS)
    for doc, name in zip(nlp.pipe(texts), LABELS, strict=True):
        assert list(doc.cats) == list(LABELS)
        assert max(doc.cats, key=doc.cats.__getitem__) == name
        assert sum(doc.cats.values()) == pytest.approx(1)
        assert nlp(doc.text).cats == pytest.approx(doc.cats, abs=1e-5)
    assert nlp("").cats == dict.fromkeys(LABELS, 0.0)


def test_labels_are_never_merged(directory, texts):
    _, component = make(directory)
    (row,) = component.classify(texts[:1], ["música", "Música", "musica", "gol"])
    assert list(row) == ["música", "Música", "musica", "gol"]
    assert row["música"] == row["Música"] == row["musica"] < row["gol"]
    with pytest.raises(SelectraError, match="label 'sports': none of its words"):
        component.classify(texts, ["sports", "gol"])


def test_each_alone_or_alternatives(directory, texts):
    _, component = make(directory)
    two = component.classify(texts, ["gol", "horno"], multi_label=True)
    three = component.classify(texts, ["gol", "horno", "coro"], multi_label=True)
    for few, more in zip(two, three, strict=True):
        assert few == pytest.approx({name: more[name] for name in few}, abs=1e-5)
    assert two[0]["gol"] > 0.5 > two[0]["horno"]
    assert max(two[2].values()) < 0.5


def test_none_of_these(directory, texts):
    _, component = make(directory, none="otro")
    rows = component.classify(texts, ["gol", "horno"])
    assert [max(row, key=row.__getitem__) for row in rows] == ["gol", "horno", "otro"]
    assert all(sum(row.values()) == pytest.approx(1) for row in rows)
    with pytest.raises(SelectraError, match="'otro' is the name of a label"):
        component.classify(texts, ["gol", "otro"])


def test_labels_for_each_document(directory, texts):
    _, component = make(directory)
    sets = [["gol", "horno"], LABELS, ["coro", "liga"]]
    rows = component.classify(texts, sets, per_document=True)
    assert [list(row) for row in rows] == [["gol", "horno"], list(LABELS), ["coro", "liga"]]
    for text, labels, row in zip(texts, sets, rows, strict=True):
        assert component.classify([text], labels)[0] == pytest.approx(row, abs=1e-5)
    with pytest.raises(SelectraError, match="labels for 2 of 3 documents"):
        component.classify(texts, sets[:2], per_document=True)


def test_groups_are_independent_of_each_other(directory, texts, tmp_path):
    """Labels of a group are alternatives; beside them stand those that are judged alone."""
    groups = {"tema": ["gol", "horno", "coro"], "tono": {"Juego": ["liga", "balón"], "Sal": "sal"}}
    nlp, component = make(directory, labels=["estadio"], multi_label=True, groups=groups)
    assert component.groups == {"tema": ("gol", "horno", "coro"), "tono": ("Juego", "Sal")}
    for doc in nlp.pipe(texts):
        assert list(doc.cats) == ["estadio", "gol", "horno", "coro", "Juego", "Sal"]
        for own in groups.values():
            assert sum(doc.cats[name] for name in own) == pytest.approx(1)
            assert {name: doc.cats[name] for name in own} == pytest.approx(
                component.classify([doc.text], own, multi_label=False)[0], abs=1e-5
            )
        assert doc.cats["estadio"] == pytest.approx(
            component.classify([doc.text], ["estadio"])[0]["estadio"], abs=1e-5
        )
    assert component.classify(texts) == [doc.cats for doc in nlp.pipe(texts)]
    (row,) = component.classify(texts[:1], groups={"tema": ["gol", "horno"]})
    assert list(row) == ["gol", "horno"]
    (row,) = component.classify(texts[:1], ["liga"], groups={"tema": ["gol", "horno"]})
    assert list(row) == ["liga", "gol", "horno"]
    sets = [["gol"], ["sal", "balón"], ["coro"]]
    rows = component.classify(texts, sets, groups={"tono": ["liga", "horno"]}, per_document=True)
    assert [list(row)[:-2] for row in rows] == sets
    component.none = "otro"
    (row,) = component.classify(
        texts[2:], groups={"tema": ["gol", "horno"], "tono": ["liga", "sal"]}
    )
    assert list(row) == ["gol", "horno", "tema: otro", "liga", "sal", "tono: otro"]
    assert row["tema: otro"] > max(row["gol"], row["horno"])
    assert nlp("").cats == dict.fromkeys(nlp("gol").cats, 0.0)
    nlp.to_disk(tmp_path / "pipeline")
    loaded: Any = spacy.load(tmp_path / "pipeline").get_pipe("selectra_zero_shot")
    assert loaded.groups == component.groups


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["gol", "horno"], "must be a mapping"),
        ({"tema": ["gol"]}, "group 'tema' has 1 label"),
        ({"tema": "gol"}, "must be a list of strings"),
        ({"tema": ["gol", "gol"]}, "given twice"),
        ({"tema": ["gol", "horno"], "tono": ["gol", "sal"]}, "in group 'tono' and in group 'tema'"),
        ({"tema": ["gol", "estadio"]}, "in group 'tema' and among the labels of no group"),
    ],
)
def test_bad_groups(directory, texts, groups, message):
    _, component = make(directory, labels=["estadio"])
    with pytest.raises(SelectraError, match=message):
        component.groups = groups
    assert component.groups == {}
    with pytest.raises(SelectraError, match=message):
        component.classify(texts, ["estadio"], groups=groups)
    with pytest.raises(SelectraError, match=message):
        type(component)(labels=["estadio"], groups=groups)


def test_a_label_of_a_group_is_no_other(directory, texts):
    _, component = make(directory, groups={"tema": ["gol", "horno"]})
    for change in (lambda: component.add_label("gol"), lambda: component.fit({"gol": texts})):
        with pytest.raises(SelectraError, match="in group 'tema'"):
            change()
    with pytest.raises(SelectraError, match="in group 'tema'"):
        component.labels = ["gol"]
    assert component.labels == ()


def test_bad_labels(directory, texts):
    _, component = make(directory)
    for labels, message in (
        ({"gol": []}, "'gol' has no wording"),
        ({"gol": ["gol", " "]}, "label is empty"),
        ({"gol": [1]}, "wordings of 'gol' must be strings"),
        (["gol", "gol"], "given twice"),
    ):
        with pytest.raises(SelectraError, match=message):
            component.classify(texts, labels)


def test_disk_and_bytes(directory, texts, tmp_path):
    nlp, component = make(directory, labels=LABELS)
    expected = [doc.cats for doc in nlp.pipe(texts)]
    component.round_to_half()
    nlp.to_disk(tmp_path / "pipeline")
    loaded = spacy.load(tmp_path / "pipeline")
    assert [doc.cats for doc in loaded.pipe(texts)] == expected
    again = spacy.blank("es").from_config(nlp.config).from_bytes(nlp.to_bytes())
    assert [doc.cats for doc in again.pipe(texts)] == expected


def test_a_few_examples(directory, texts, tmp_path):
    """Labels whose names say nothing are learned from eight texts each, and stored."""
    rng = np.random.default_rng(11)
    examples = {
        name: [text_about(subject, rng) for _ in range(8)]
        for name, subject in zip(("con", "por"), SUBJECTS, strict=False)
    }
    nlp, component = make(directory)
    component.fit(examples)
    assert component.labels == ("con", "por")
    some = [text_about(subject, rng) for subject in list(SUBJECTS)[:2] for _ in range(10)]
    docs = list(nlp.pipe(some))
    right = [doc.cats["con"] > doc.cats["por"] for doc in docs]
    assert right == [True] * 10 + [False] * 10
    assert component.classify(texts, ["gol", "horno"])[0]["gol"] > 0.5  # others as before
    nlp.to_disk(tmp_path / "pipeline")
    loaded = spacy.load(tmp_path / "pipeline")
    again = spacy.blank("es").from_config(nlp.config).from_bytes(nlp.to_bytes())
    for other in (loaded, again):
        for doc, expected in zip(other.pipe(some), docs, strict=True):
            assert doc.cats == pytest.approx(expected.cats, abs=1e-6)
    for wrong, message in (
        ({}, "there are no examples"),
        ({"con": ["gol"], "por": []}, "'por' has no example"),
        ({"con": "gol", "por": ["sal"]}, "must be a list of strings"),
        ({"con": ["gol"], "por": [1]}, "item 1 is int"),
    ):
        with pytest.raises(SelectraError, match=message):
            component.fit(wrong)
