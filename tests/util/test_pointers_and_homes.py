"""Pointers of Git LFS are named where files are read, and `~` is the home directory."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy

from spacy_selectra.components.corpora.labelled import text_reader
from spacy_selectra.corpus.lines import numbered_lines
from spacy_selectra.corpus.packed.builder import PackSettings, pack_corpus
from spacy_selectra.corpus.packed.format import PackedCorpus
from spacy_selectra.encoder.hub import load_encoder
from spacy_selectra.encoder.serialization import unpacked_encoder
from spacy_selectra.errors import SelectraError
from spacy_selectra.text.tokenizer import load_backend
from spacy_selectra.util.files import read_json
from tests.finetuning.tiny import save_discriminator

POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    "size 12345\n"
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("home") / "model"
    save_discriminator(directory)
    return directory


READERS: dict[str, Callable[[Path], Any]] = {
    "model.safetensors": lambda path: load_encoder(path.parent),
    "config.json": lambda path: load_encoder(path.parent),
    "tokenizer.json": lambda path: load_backend(path.parent),
    "vocab.txt": lambda path: load_backend(path.parent),
    "transformer/model": lambda path: unpacked_encoder(path.read_bytes()),
    "metrics.json": read_json,
    "train.jsonl": lambda path: list(text_reader(path)(spacy.blank("es"))),
    "train.txt": lambda path: list(numbered_lines(path)),
    "train.jsonl.gz": lambda path: list(numbered_lines(path)),
}


@pytest.mark.parametrize("name", READERS)
def test_pointers_are_named(model: Path, tmp_path: Path, name: str):
    shutil.copytree(model, tmp_path / "model")
    path = tmp_path / "model" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(POINTER, encoding="utf-8")
    with pytest.raises(SelectraError, match=rf"{name}: is only a Git LFS pointer.*git lfs pull"):
        READERS[name](path)


@pytest.mark.parametrize("part", ["bin", "index.npy"])
def test_pointers_in_place_of_a_packed_corpus_shards(model: Path, tmp_path: Path, part: str):
    text = tmp_path / "a.txt"
    text.write_text("Ana vive en Cádiz.\n\n" * 9, encoding="utf-8")
    pack_corpus([str(text)], tmp_path / "packed", model, PackSettings(length=16, heldout=0.0))
    [shard] = (tmp_path / "packed").glob(f"train-*.{part}")
    shard.write_text(POINTER, encoding="utf-8")
    with pytest.raises(SelectraError, match=rf"{shard.name}: is only a Git LFS pointer"):
        PackedCorpus(tmp_path / "packed", "train")


def test_a_tilde_is_the_home_directory(model: Path, monkeypatch):
    monkeypatch.setenv("HOME", str(model.parent))
    monkeypatch.setenv("USERPROFILE", str(model.parent))
    (model.parent / "train.jsonl").write_text('{"text": "Hola", "label": "a"}\n', encoding="utf-8")
    nlp = spacy.blank("es")
    architecture = "spacy-selectra.SelectraModel.v1"
    config = {"model": {"@architectures": architecture, "name": "~/model"}}
    nlp.add_pipe("transformer", config=config)
    nlp.add_pipe("selectra_replaced", config={"model": "~/model"})
    nlp.initialize()
    assert all(0 < token._.replaced < 1 for token in nlp("El gato come"))
    assert len(list(text_reader("~/train.jsonl")(nlp))) == 1
    assert len(list(numbered_lines("~/train.jsonl"))) == 1
    assert load_backend("~/model").get_vocab_size() > 0
    with pytest.raises(SelectraError, match="no such model directory"):
        load_encoder("~/nothing")
    for read in (load_encoder, load_backend, lambda path: list(numbered_lines(path))):
        with pytest.raises(SelectraError, match=r"~nobody\.here/a: .*home directory"):
            read("~nobody.here/a")
