from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.language import Language
from transformers import pipeline

from spacy_selectra.components.zero_shot import LONG_TEXTS, PRECISIONS, ZeroShotClassifier
from spacy_selectra.encoder import precision
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning import zero_shot as entailment
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
        ({"hypothesis_template": "Este ejemplo."}, r"has no \{\} where the label goes"),
        ({"labels": ["a", "a"]}, "given twice"),
        ({"labels": ["a", " "]}, "label is empty"),
        ({"precision": "half"}, "precision 'half' is not one of auto, fp32, fast, bf16"),
        ({"long_texts": "split"}, "long_texts 'split' is not one of cut, max, mean"),
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


SEVERAL_PROCESSES = """
import json, multiprocessing, sys
import spacy, torch
if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[3])
    nlp = spacy.load(sys.argv[1])
    texts = json.loads(sys.argv[2]) * 3
    torch.set_num_threads(2)
    alone = [doc.cats for doc in nlp.pipe(texts)]
    together = [doc.cats for doc in nlp.pipe(texts, n_process=2, batch_size=3)]
    print(json.dumps([alone, together]))
"""


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_several_processes(model: str, tmp_path: Path, start: str):
    make(model, labels=LABELS).to_disk(tmp_path / "pipeline")
    script = tmp_path / "script.py"
    script.write_text(SEVERAL_PROCESSES, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "pipeline"), json.dumps(TEXTS), start],
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    alone, together = json.loads(result.stdout)
    assert len(together) == 3 * len(TEXTS)
    for one, other in zip(alone, together, strict=True):
        assert other == pytest.approx(one, abs=1e-5)


LIGHT = """
import sys, spacy
spacy.blank("es").add_pipe("selectra_zero_shot")
spacy.blank("es").add_pipe("selectra_replaced")
ours = [name for name in sys.modules if name.startswith("spacy_selectra.")]
below = [name for name in ours if name.split(".")[1] in ("encoder", "corpus", "finetuning")]
print([name for name in below if hasattr(sys.modules[name], "torch")])
"""


def test_a_blank_pipeline_imports_no_model_code():
    result = subprocess.run(
        [sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
