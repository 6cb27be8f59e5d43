"""Pipelines of all our components give the same after every way a pipeline can travel."""

from __future__ import annotations

import json
import multiprocessing
import socket
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Model

from tests.components.conftest import SENTENCES
from tests.components.test_serialization import add_ner
from tests.finetuning.tiny import save_classifier
from tests.processes import NEW_PROCESSES, run

TEXTS = [*SENTENCES, "", " ", " ".join(SENTENCES)]
CATS = {"uno": 1.0, "dos": 0.0}
TEXTCAT = {"@architectures": "spacy-selectra.ClsTextCat.v1", "exclusive_classes": True}
# the longest text is too long for the entailment model
pytestmark = pytest.mark.filterwarnings("ignore:.*are longer than the model's")

Build = Callable[[Path, Path], Language]


def with_transformer(encoder: Path) -> Language:
    nlp = spacy.blank("es")
    model = {"@architectures": "spacy-selectra.SelectraModel.v1", "name": str(encoder)}
    nlp.add_pipe("transformer", config={"model": {**model, "get_spans": None}})
    return nlp


def initialised(nlp: Language) -> Language:
    """Trainable components get large random weights, so that there is something to compare."""
    doc = nlp.make_doc(SENTENCES[0])
    lemmas = [token.text.lower() for token in doc]
    annotation = {"entities": [(23, 28, "LOC")], "cats": CATS, "lemmas": lemmas}
    nlp.initialize(lambda: [Example.from_dict(doc, annotation)])
    random = np.random.default_rng(0)
    for name, pipe in nlp.pipeline:
        model: Any = getattr(pipe, "model", None)
        if name == "transformer" or not isinstance(model, Model):
            continue
        for node in model.walk():
            for param in node.param_names:
                if node.has_param(param):
                    value: Any = node.get_param(param)
                    node.set_param(param, value + random.normal(size=value.shape).astype("f"))
    return nlp


def listeners(encoder: Path, entailment: Path) -> Language:
    nlp = with_transformer(encoder)
    add_ner(nlp)
    nlp.add_pipe("textcat", config={"model": TEXTCAT})
    return initialised(nlp)


def replaced_listeners(encoder: Path, entailment: Path) -> Language:
    nlp = listeners(encoder, entailment)
    for name in ("ner", "textcat"):
        nlp.replace_listeners("transformer", name, ["model.tok2vec"])
    nlp.remove_pipe("transformer")
    return nlp


def added_label(encoder: Path, entailment: Path) -> Language:
    nlp = listeners(encoder, entailment)
    textcat: Any = nlp.get_pipe("textcat")
    textcat.add_label("tres")
    return nlp


def entity_tagger(encoder: Path, entailment: Path) -> Language:
    nlp = with_transformer(encoder)
    nlp.add_pipe("selectra_ner")
    return initialised(nlp)


def joint(encoder: Path, entailment: Path) -> Language:
    nlp = with_transformer(encoder)
    nlp.add_pipe("selectra_senter")
    nlp.add_pipe("selectra_lemmatizer", config={"min_tree_freq": 1})
    nlp.add_pipe("selectra_textcat")
    tok2vec = {
        "@architectures": "spacy-selectra.TransformerListener.v1",
        "pooling": {"@layers": "reduce_mean.v1"},
    }
    model = {"@architectures": "spacy-selectra.EntityTagger.v1", "tok2vec": tok2vec}
    nlp.add_pipe("selectra_replaced", config={"model": model})
    return initialised(nlp)


def zero_shot(encoder: Path, entailment: Path) -> Language:
    nlp = spacy.blank("es")
    config = {"model": str(entailment), "labels": ["deportes", "León"]}
    nlp.add_pipe("selectra_zero_shot", config=config)
    return nlp


def replaced(encoder: Path, entailment: Path) -> Language:
    nlp = spacy.blank("es")
    nlp.add_pipe("selectra_replaced", config={"model": str(encoder)})
    return nlp


def replaced_upstream(encoder: Path, entailment: Path) -> Language:
    nlp = with_transformer(encoder)
    config = {"model": str(encoder), "upstream": "transformer"}
    nlp.add_pipe("selectra_replaced", config=config)
    return initialised(nlp)


def everything(encoder: Path, entailment: Path) -> Language:
    nlp = with_transformer(encoder)
    nlp.add_pipe("selectra_vectors")
    nlp.add_pipe("textcat", config={"model": TEXTCAT})
    nlp.add_pipe("selectra_ner")
    config: dict[str, Any] = {"model": str(encoder), "upstream": "transformer"}
    nlp.add_pipe("selectra_replaced", config=config)
    config = {"model": str(entailment), "labels": ["deportes", "León"]}
    nlp.add_pipe("selectra_zero_shot", config=config)
    return initialised(nlp)


PIPELINES: dict[str, Build] = {
    build.__name__: build
    for build in (
        listeners,
        replaced_listeners,
        added_label,
        entity_tagger,
        joint,
        zero_shot,
        replaced,
        replaced_upstream,
        everything,
    )
}


def outputs(docs: list[Doc], vectors: bool) -> list[dict[str, Any]]:
    """All that components wrote to documents, JSON-able: names, and lists of numbers."""
    found = []
    for doc in docs:
        result: dict[str, Any] = {"entities": [[e.start, e.end, e.label_] for e in doc.ents]}
        result["starts"] = [token.i for token in doc if token.is_sent_start]
        result["labels"] = sorted(doc.cats)
        result["cats"] = [doc.cats[label] for label in sorted(doc.cats)]
        if "replaced" in doc.spans:
            result["spans"] = [[span.start, span.label_] for span in doc.spans["replaced"]]
            result["replaced"] = [token._.replaced for token in doc]
        if doc.has_extension("trf_data") and doc._.trf_data is not None:
            hidden = doc._.trf_data.model_output.get("last_hidden_state", np.zeros(1))
            result["hidden"] = float(np.abs(hidden).mean())
        if vectors:
            result["vector"] = np.asarray(doc.vector).tolist()
        found.append(result)
    return found


def travelled(nlp: Language) -> list[dict[str, Any]]:
    return outputs(list(nlp.pipe(TEXTS)), "selectra_vectors" in nlp.pipe_names)


def assert_same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.keys() <= other.keys()
        for key, value in one.items():
            if key in ("cats", "replaced", "hidden", "vector"):
                assert value == pytest.approx(other[key], abs=1e-5), key
            else:
                assert value == other[key], key


@pytest.fixture(scope="module")
def entailment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_classifier(tmp_path_factory.mktemp("trips") / "entailment")


@pytest.fixture(scope="module")
def pipelines(encoder_directory: Path, entailment: Path) -> dict[str, Language]:
    return {name: build(encoder_directory, entailment) for name, build in PIPELINES.items()}


@pytest.fixture(scope="module")
def directory(pipelines: dict[str, Language], tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("saved")
    for name, nlp in pipelines.items():
        nlp.to_disk(directory / name)
    return directory


def load_and_call(directory: Path) -> None:
    """Prints what each saved pipeline gives, alone and with two processes of its own."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError("no network here")

    socket.socket.connect = refuse
    multiprocessing.set_start_method("fork", force=True)
    torch.set_num_threads(2)  # with one, a fork has no threads to miss
    found = {}
    for name in PIPELINES:
        nlp = spacy.load(directory / name)
        found[name] = {"here": travelled(nlp), "parallel": in_two_processes(nlp)}
    print(json.dumps(found))


def in_two_processes(nlp: Language) -> list[dict[str, Any]]:
    # hooks do not travel between processes, so no vectors here
    return outputs(list(nlp.pipe(TEXTS, n_process=2, batch_size=3)), False)


@pytest.fixture(scope="module")
def elsewhere(directory: Path, entailment: Path) -> dict[str, Any]:
    """What another process makes of the saved pipelines.

    It has neither a network nor the model that the zero-shot component was made from.
    """
    away = entailment.rename(entailment.with_name("away"))
    done = run(load_and_call, directory)
    away.rename(entailment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", PIPELINES)
def test_disk(pipelines: dict[str, Language], directory: Path, name: str):
    expected = travelled(pipelines[name])
    assert any(any(map(len, result.values())) for result in expected)
    assert_same(travelled(spacy.load(directory / name)), expected)


@pytest.mark.parametrize("name", PIPELINES)
def test_bytes(pipelines: dict[str, Language], name: str):
    nlp = pipelines[name]
    copy = spacy.blank("es").from_config(nlp.config).from_bytes(nlp.to_bytes())
    assert_same(travelled(copy), travelled(nlp))


@pytest.mark.slow
@pytest.mark.parametrize("name", PIPELINES)
def test_another_process(pipelines: dict[str, Language], elsewhere: dict[str, Any], name: str):
    expected = travelled(pipelines[name])
    assert_same(elsewhere[name]["here"], expected)
    assert_same(elsewhere[name]["parallel"], expected)


@pytest.mark.parametrize("name", PIPELINES)
def test_processes_that_get_the_pipeline_pickled(
    pipelines: dict[str, Language], name: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("spacy.language.mp", NEW_PROCESSES)
    assert_same(in_two_processes(pipelines[name]), travelled(pipelines[name]))


@pytest.mark.parametrize("name", PIPELINES)
def test_another_order(pipelines: dict[str, Language], name: str, tmp_path: Path):
    source = pipelines[name]
    names = list(source.pipe_names)
    first = ["transformer"] if "transformer" in names else []
    others = [component for component in names if component not in first]
    nlp = spacy.blank("es")
    for component in (*first, *reversed(others)):
        nlp.add_pipe(component, source=source)
    expected = travelled(source)
    assert_same(travelled(nlp), expected)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert loaded.pipe_names == [*first, *reversed(others)]
    assert_same(travelled(loaded), expected)


def test_every_component_of_ours_travels(pipelines: dict[str, Language]):
    ours = {
        entry.name
        for entry in distribution("spacy-selectra").entry_points
        if entry.group == "spacy_factories"
    }
    seen = {
        nlp.get_pipe_meta(name).factory for nlp in pipelines.values() for name in nlp.pipe_names
    }
    assert ours <= seen, "add the new component to PIPELINES"
