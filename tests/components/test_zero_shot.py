from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from transformers import pipeline

from spacy_selectra.components.zero_shot import ZeroShotClassifier
from spacy_selectra.errors import SelectraError
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
        ({"hypothesis_template": "Este ejemplo."}, r"has no \{\} where the label goes"),
        ({"labels": ["a", "a"]}, "given twice"),
        ({"labels": ["a", " "]}, "label is empty"),
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


def test_stored_without_a_model(tmp_path: Path):
    make(None).to_disk(tmp_path / "pipeline")
    assert spacy.load(tmp_path / "pipeline")("El gato.").cats == {}


def test_other_labels_when_loading(model: str, tmp_path: Path):
    make(model, labels=LABELS).to_disk(tmp_path / "pipeline")
    config = {"components": {FACTORY: {"labels": ["gato", "perro"]}}}
    nlp = spacy.load(tmp_path / "pipeline", config=config)
    assert nlp("El gato.").cats.keys() == {"gato", "perro"}


OTHER_PROCESS = """
import json, socket, sys
def refuse(*args, **kwargs): raise OSError("no network here")
socket.socket.connect = refuse
import spacy
nlp = spacy.load(sys.argv[1])
print(json.dumps([doc.cats for doc in nlp.pipe(json.loads(sys.argv[2]))]))
"""


def test_another_process_without_network_or_the_training_directory(tmp_path: Path):
    source = save_classifier(tmp_path / "model")
    nlp = make(str(source), labels=LABELS)
    expected = [doc.cats for doc in nlp.pipe(TEXTS)]
    nlp.to_disk(tmp_path / "pipeline")
    source.rename(tmp_path / "away")
    result = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS, str(tmp_path / "pipeline"), json.dumps(TEXTS)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    for ours, theirs in zip(expected, json.loads(result.stdout), strict=True):
        assert theirs == pytest.approx(ours, abs=1e-6)


LIGHT = """
import sys, spacy
spacy.blank("es").add_pipe("selectra_zero_shot")
spacy.blank("es").add_pipe("selectra_replaced")
ours = [name for name in sys.modules if name.startswith("spacy_selectra.")]
print([name for name in ours if name.split(".")[1] in ("encoder", "corpus", "finetuning")])
"""


def test_a_blank_pipeline_imports_no_model_code():
    result = subprocess.run(
        [sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
