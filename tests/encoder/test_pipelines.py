"""A spaCy pipeline, installed or in a directory, stands for the discriminator that it holds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import spacy
import torch

from spacy_selectra.encoder.hub import find_discriminator, load_encoder, resolve_model
from spacy_selectra.errors import SelectraError
from spacy_selectra.text.tokenizer import load_tokenizer
from tests.finetuning.tiny import save_classifier, save_discriminator


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """What a pipeline writes, with a classifier, a discriminator and a folder without model."""
    place = tmp_path / "pipeline"
    for part in ("a_classifier", "replaced", "transformer"):
        (place / part).mkdir(parents=True)
    shutil.copytree(save_classifier(tmp_path / "c"), place / "a_classifier", dirs_exist_ok=True)
    shutil.copytree(save_discriminator(tmp_path / "d"), place / "replaced", dirs_exist_ok=True)
    (place / "meta.json").write_text(json.dumps({"lang": "es", "name": "prueba"}), "utf-8")
    (place / "config.cfg").write_text("[nlp]\n", "utf-8")
    return place


@pytest.fixture
def package(pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pipeline as a package that can be imported."""
    place = tmp_path / "site" / "es_prueba_del_disco"
    place.mkdir(parents=True)
    shutil.copytree(pipeline, place / "es_prueba_del_disco-1.0.0")
    shutil.copy(pipeline / "meta.json", place)
    (place / "__init__.py").write_text("raise SystemExit('imported')\n", "utf-8")
    monkeypatch.syspath_prepend(str(place.parent))
    return place


def test_the_directory_of_a_pipeline(pipeline: Path):
    assert resolve_model(pipeline) == resolve_model(str(pipeline)) == pipeline / "replaced"
    assert load_encoder(pipeline).config.hidden_size == 32
    assert find_discriminator(pipeline) == (pipeline / "replaced", None)


def test_the_directory_of_a_component(pipeline: Path):
    (pipeline / "transformer" / "model").write_bytes(b"")
    assert resolve_model(pipeline / "transformer") == pipeline / "replaced"


@pytest.mark.parametrize("name", [None, "", " ", 3, b"a"])
def test_what_names_no_model(name: Any):
    with pytest.raises(SelectraError, match="a model must be a directory, a pipeline or a hub"):
        load_encoder(name)


def test_the_name_of_an_installed_pipeline_and_its_package(package: Path):
    inner = package / "es_prueba_del_disco-1.0.0" / "replaced"
    assert resolve_model("es_prueba_del_disco") == inner
    assert resolve_model("es-prueba-del-disco") == inner  # as pip calls it
    assert resolve_model(package) == inner


def test_a_directory_of_that_name_comes_first(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d").rename(tmp_path / "es_prueba_del_disco")
    assert resolve_model("es_prueba_del_disco") == Path("es_prueba_del_disco")


def test_a_pipeline_without_encoder(pipeline: Path, package: Path):
    shutil.rmtree(pipeline / "replaced")
    shutil.rmtree(package / "es_prueba_del_disco-1.0.0" / "replaced")
    for name in (str(pipeline), "es_prueba_del_disco"):
        with pytest.raises(SelectraError, match="has no encoder"):
            resolve_model(name)


def test_the_transformer_of_a_pipeline_without_discriminator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = save_discriminator(tmp_path / "model")
    nlp = spacy.blank("es")
    architecture = {"@architectures": "spacy-selectra.SelectraModel.v1", "name": str(model)}
    transformer: Any = nlp.add_pipe("transformer", config={"model": architecture})
    transformer.model.initialize()
    nlp.to_disk(tmp_path / "nlp")
    found = resolve_model(tmp_path / "nlp")
    assert found == resolve_model(tmp_path / "nlp" / "transformer")
    assert found.parent == tmp_path / "cache" / "spacy-selectra"
    assert len(list(found.parent.iterdir())) == 1
    expected, extracted = load_encoder(model).state_dict(), load_encoder(found).state_dict()
    assert expected.keys() == extracted.keys()
    assert all(torch.equal(tensor, extracted[name]) for name, tensor in expected.items())
    text = "El niño comió piñón."
    own, other = (load_tokenizer(place)(text)["input_ids"] for place in (model, found))
    assert own == other


@pytest.mark.parametrize("name", ["json", "xml", "sin_instalar"])
def test_other_names_are_looked_for_on_the_hub(name: str):
    with pytest.raises(
        SelectraError, match="no such directory or installed pipeline, and not found"
    ):
        resolve_model(name)


def test_models_are_what_they_were(tmp_path: Path):
    directory = save_discriminator(tmp_path / "model")
    assert resolve_model(directory) == directory
