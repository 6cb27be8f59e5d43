from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.language import Language
from transformers import pipeline

from spacy_selectra.components.zero_shot import ZeroShotClassifier
from spacy_selectra.components.zero_shot.model import LONG_TEXTS, PRECISIONS
from spacy_selectra.encoder import precision
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning import entailment
from tests.finetuning.tiny import save_classifier

LABELS = ["deportes", "León", "el niño"]
TEXTS = ["El burro come en Mérida.", "canta", "¿El gato? No, el pájaro.", "El niño sueña."]
FACTORY = "selectra_zero_shot"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_classifier(tmp_path_factory.mktemp("zero-shot") / "model"))


def make(model: str | None, **config: object) -> Language:
    nlp = spacy.blank("es")
    nlp.add_pipe(FACTORY, config={"model": model, **config})
    return nlp


def component(nlp: Language) -> ZeroShotClassifier:
    found = nlp.get_pipe(FACTORY)
    assert isinstance(found, ZeroShotClassifier)
    return found


@pytest.mark.parametrize("multi_label", [False, True])
def test_sets_the_cats_transformers_would_give(model: str, multi_label: bool):
    nlp = make(model, labels=LABELS, multi_label=multi_label, hypothesis_template="Trata de {}.")
    oracle = pipeline("zero-shot-classification", model=model, device="cpu")
    for doc in nlp.pipe(TEXTS, batch_size=3):
        answer = oracle(
            doc.text, LABELS, hypothesis_template="Trata de {}.", multi_label=multi_label
        )
        assert isinstance(answer, dict)
        expected = dict(zip(answer["labels"], answer["scores"], strict=True))
        assert doc.cats == pytest.approx(expected, abs=1e-4)


def test_one_document_or_many(model: str):
    nlp = make(model, labels=LABELS)
    for text, doc in zip(TEXTS, nlp.pipe(TEXTS), strict=True):
        assert nlp(text).cats == pytest.approx(doc.cats, abs=1e-5)


def test_labels_at_call_time_leave_the_documents_alone(model: str):
    nlp = make(model)
    docs = list(nlp.pipe(TEXTS))
    scores = component(nlp).classify(docs, LABELS)
    assert [list(row) for row in scores] == [LABELS] * len(TEXTS)
    assert all(sum(row.values()) == pytest.approx(1, abs=1e-5) for row in scores)
    assert all(doc.cats == {} for doc in docs)
    assert component(nlp).classify(TEXTS, LABELS) == scores
    alone = component(nlp).classify(TEXTS, LABELS, multi_label=True)
    assert alone != scores


def test_without_labels_the_model_is_not_even_read():
    nlp = make("./there/is/no/such/model")
    assert nlp(TEXTS[0]).cats == {}
    with pytest.raises(SelectraError, match="no such model directory"):
        component(nlp).classify(TEXTS, LABELS)


def test_without_model():
    with pytest.raises(SelectraError, match="component 'selectra_zero_shot' has no model"):
        make(None, labels=LABELS)("El gato.")


def test_documents_without_words(model: str):
    docs = list(make(model, labels=LABELS).pipe(["", " \n", "El gato."]))
    assert docs[0].cats == docs[1].cats == dict.fromkeys(LABELS, 0.0)
    assert sum(docs[2].cats.values()) == pytest.approx(1, abs=1e-5)


def test_long_texts_are_cut_and_announced_once(model: str):
    nlp = make(model, labels=LABELS)
    long = "El niño sueña en Cádiz. " * 20
    with pytest.warns(UserWarning, match="1 of 2 texts are longer than the model's 64 pieces"):
        list(nlp.pipe([long, "canta"]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp(long)
    assert component(nlp).truncated == 2


def test_long_texts_in_windows(model: str):
    """A text's own end counts, alternatives add up to 1, and there is nothing to announce."""
    start = "El niño sueña en Cádiz. " * 12
    texts = [start + "El gato come.", start + "¿El perro? No canta en Mérida.", "canta"]
    scores = {}
    for long_texts in ("max", "mean"):
        nlp = make(model, labels=LABELS, long_texts=long_texts)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            scores[long_texts] = [doc.cats for doc in nlp.pipe(texts)]
        assert component(nlp).truncated == 0
        for cats in scores[long_texts]:
            assert sum(cats.values()) == pytest.approx(1, abs=1e-5)
        assert scores[long_texts][0] != pytest.approx(scores[long_texts][1], abs=1e-4)
    assert scores["max"][0] != pytest.approx(scores["mean"][0], abs=1e-4)
    expected = make(model, labels=LABELS)("canta").cats
    assert scores["max"][2] == pytest.approx(expected, abs=1e-5)
    assert scores["mean"][2] == pytest.approx(expected, abs=1e-5)


def test_precision_is_a_setting(model: str):
    scores = {}
    for mode in ("fp32", "fast", "bf16", "auto"):
        nlp = make(model, labels=LABELS, precision=mode)
        scores[mode] = [list(doc.cats.values()) for doc in nlp.pipe(TEXTS)]
    exact = np.array(scores["fp32"])
    assert np.abs(scores["fast"] - exact).max() < 1e-4
    assert 0 < np.abs(scores["bf16"] - exact).max() < 0.05
    assert scores["auto"] in (scores["fast"], scores["bf16"])


def test_choices_are_those_of_the_modules_behind():
    assert set(PRECISIONS) == set(precision.PRECISIONS)
    assert set(LONG_TEXTS) == set(entailment.LONG_TEXTS)


def test_cats_of_others_stay_and_overwriting_is_said(model: str):
    nlp = make(model, labels=["deportes"])
    doc = nlp.make_doc("El gato.")
    doc.cats = {"otros": 0.25}
    assert nlp(doc).cats.keys() == {"otros", "deportes"}
    assert doc.cats["otros"] == 0.25
    with pytest.warns(UserWarning, match="label 'deportes' is already in doc.cats"):
        nlp(doc)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"hypothesis_template": "Este ejemplo."}, r"\{\} where the label goes"),
        ({"labels": ["a", "a"]}, "given twice"),
        ({"labels": ["a", " "]}, "label is empty"),
        ({"precision": "half"}, "precision = 'half' is not one of auto, fp32, fast, bf16"),
        ({"long_texts": "split"}, "long_texts = 'split' is not one of cut, max, mean"),
    ],
)
def test_unusable_configuration(config: dict[str, object], message: str):
    with pytest.raises(SelectraError, match=message):
        make(None, **config)


def test_arguments_of_classify(model: str):
    zero_shot = component(make(model))
    with pytest.raises(SelectraError, match="not the string 'deportes'"):
        zero_shot.classify(TEXTS, "deportes")
    with pytest.raises(SelectraError, match="takes a list of documents"):
        zero_shot.classify("El gato.", LABELS)
    with pytest.raises(SelectraError, match="surrogate"):
        zero_shot.classify(["El gato \ud83d come."], LABELS)


def columns(values: list) -> list:
    return [iter(values), (value for value in values), tuple(values), np.array(values)]


def test_any_column_of_strings_is_read(model: str):
    zero_shot = component(make(model))
    expected = zero_shot.classify(TEXTS, LABELS)
    for texts, labels in zip(columns(TEXTS), columns(LABELS), strict=True):
        found = zero_shot.classify(texts, labels)
        assert found == expected
        assert {type(label) for row in found for label in row} == {str}
    table = pytest.importorskip("pandas").DataFrame({"text": TEXTS})
    assert zero_shot.classify(table["text"], LABELS) == expected
    with pytest.raises(SelectraError, match="single column of strings, not a DataFrame"):
        zero_shot.classify(table, LABELS)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", 1], "labels must be strings, item 2 is int"),
        ([None, "a"], "labels must be strings, item 1 is NoneType"),
        (["a", "b", float("nan")], "labels must be strings, item 3 is float"),
        ((label for label in ("a", b"b")), "labels must be strings, item 2 is bytes"),
        ({"a": 1}, "wordings of 'a' must be a list of strings, not int"),
        (np.array([["a", "b"]]), "labels must be a list or a single column"),
        (7, "labels must be a list of strings, not int"),
        (["a", "b\ud83d"], "labels: item 2 holds half a surrogate pair"),
    ],
)
def test_labels_and_texts_are_strings(model: str, labels, message: str):
    zero_shot = component(make(model))
    if isinstance(labels, list):
        with pytest.raises(SelectraError, match=message.replace("labels", "texts")):
            zero_shot.classify(labels, LABELS)
    with pytest.raises(SelectraError, match=message):
        zero_shot.classify(TEXTS, labels)


def test_labels_are_set_and_added(model: str):
    nlp = make(model)
    zero_shot = component(nlp)
    zero_shot.labels = iter(["deportes"])
    assert list(nlp(TEXTS[0]).cats) == ["deportes"]
    assert (zero_shot.add_label("salud"), zero_shot.add_label("salud")) == (1, 0)
    assert list(nlp(TEXTS[0]).cats) == ["deportes", "salud"]
    for wrong in ("deportes", ["a", 3], ["a", "a"], [""]):
        with pytest.raises(SelectraError, match="label"):
            zero_shot.labels = wrong
    with pytest.raises(SelectraError, match="item 1 is int"):
        zero_shot.add_label(3)
    assert zero_shot.labels == ("deportes", "salud")
    with pytest.raises(SelectraError, match="precision = 'half' is not one of"):
        zero_shot.precision = "half"


@pytest.mark.parametrize(
    "twin", ["política ", "\u00a0política", "poli\u0301tica", "polí\u200btica", "política\u00ad"]
)
def test_labels_that_look_alike_are_one(model: str, twin: str):
    zero_shot = component(make(model, labels=["política"]))
    assert zero_shot.add_label(twin) == 0
    with pytest.raises(SelectraError, match="is given twice"):
        zero_shot.classify(TEXTS, ["política", twin])
    assert list(zero_shot.classify(TEXTS[:1], ["x", twin])[0]) == ["x", twin]  # as they were given


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("multi_label", "no", "multi_label = 'no' is not True or False"),
        ("multi_label", None, "multi_label = None is not True or False"),
        ("none", 3, "none = 3 is not a name or None"),
        ("none", " ", "none = ' ' is not a name or None"),
        ("hypothesis_template", "x", "hypothesis_template = 'x' is not a sentence with {} where"),
        ("long_texts", "x", "long_texts = 'x' is not one of"),
    ],
)
def test_settings_are_checked_whenever_they_are_set(setting: str, value: object, message: str):
    zero_shot = component(make(None))
    before = getattr(zero_shot, setting)
    with pytest.raises(SelectraError, match=re.escape(message)):
        setattr(zero_shot, setting, value)
    assert getattr(zero_shot, setting) == before
    zero_shot.multi_label = np.bool_(True)


def test_what_is_asked_for_at_call_time_is_checked(model: str):
    zero_shot = component(make(model))
    with pytest.raises(SelectraError, match="multi_label = 'no' is not True or False"):
        zero_shot.classify(TEXTS, LABELS, multi_label="no")  # pyright: ignore[reportArgumentType]
    with pytest.raises(SelectraError, match="examples must be a mapping, not list"):
        zero_shot.fit([("a", "b")])  # pyright: ignore[reportArgumentType]


def test_refuses_a_model_without_entailment(tmp_path: Path):
    path = save_classifier(tmp_path / "model", labels=["uno", "dos"])
    with pytest.raises(SelectraError, match=r"label called 'entailment'.*uno, dos"):
        make(str(path), labels=LABELS)("El gato.")


def test_disk_and_bytes(model: str, tmp_path: Path):
    nlp = make(model, labels=LABELS)
    expected = [doc.cats for doc in nlp.pipe(TEXTS)]
    nlp.to_disk(tmp_path / "pipeline")
    assert (tmp_path / "pipeline" / FACTORY / "model.safetensors").is_file()
    copies = [spacy.load(tmp_path / "pipeline"), make(None, labels=LABELS)]
    copies[1].from_bytes(nlp.to_bytes())
    for copy in copies:
        assert [doc.cats for doc in copy.pipe(TEXTS)] == expected


def test_settings_travel_with_the_pipeline(model: str, tmp_path: Path):
    settings = {"labels": LABELS, "precision": "fp32", "long_texts": "max", "multi_label": True}
    nlp = make(model, hypothesis_template="Trata de {}.", **settings)
    text = "El niño sueña en Cádiz. " * 20
    expected = nlp(text).cats
    nlp.to_disk(tmp_path / "pipeline")
    copies = [
        spacy.load(tmp_path / "pipeline"),
        spacy.blank("es").from_config(nlp.config).from_bytes(nlp.to_bytes()),
    ]
    for copy in copies:
        found = component(copy)
        assert (found.precision, found.long_texts) == ("fp32", "max")
        assert copy(text).cats == expected


def test_stored_without_a_model(tmp_path: Path):
    make(None).to_disk(tmp_path / "pipeline")
    assert spacy.load(tmp_path / "pipeline")("El gato.").cats == {}


def test_other_labels_when_loading(model: str, tmp_path: Path):
    make(model, labels=LABELS).to_disk(tmp_path / "pipeline")
    config = {"components": {FACTORY: {"labels": ["gato", "perro"]}}}
    nlp = spacy.load(tmp_path / "pipeline", config=config)
    assert nlp("El gato.").cats.keys() == {"gato", "perro"}
