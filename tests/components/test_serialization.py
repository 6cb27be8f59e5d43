"""Saving and loading: disk, bytes, copies, replaced listeners, without the training directory."""

from __future__ import annotations

import json
import pickle
import shutil
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from safetensors.numpy import load_file
from spacy.training import Example

from spacy_selectra.encoder.serialization import read_metadata
from spacy_selectra.errors import SelectraError
from tests.components.conftest import SENTENCES

LISTENER = {
    "@architectures": "spacy-transformers.TransformerListener.v1",
    "grad_factor": 1.0,
    "pooling": {"@layers": "reduce_mean.v1"},
}


def add_ner(nlp, listener=LISTENER):
    ner = nlp.add_pipe(
        "ner",
        config={
            "model": {
                "@architectures": "spacy.TransitionBasedParser.v2",
                "state_type": "ner",
                "extra_state_tokens": False,
                "hidden_width": 16,
                "maxout_pieces": 2,
                "use_upper": False,
                "tok2vec": listener,
            }
        },
    )
    for label in ("LOC", "PER"):
        ner.add_label(label)
    return ner


def ner_pipeline(make_nlp, listener=LISTENER):
    nlp = make_nlp()
    add_ner(nlp, listener)
    docs = [nlp.make_doc(text) for text in SENTENCES]
    nlp.initialize(lambda: [Example.from_dict(doc, {"entities": []}) for doc in docs])
    weights = nlp.get_pipe("ner").model
    generator = np.random.default_rng(0)
    for node in weights.walk():  # random, so that there is something to compare
        for name in node.param_names:
            if node.has_param(name):
                value = node.get_param(name)
                value += generator.normal(size=value.shape).astype("f")
    return nlp


def vectors(nlp, text=SENTENCES[2]):
    return nlp(text)._.trf_data.model_output.last_hidden_state


def entities(nlp):
    return [[(e.start, e.end, e.label_) for e in doc.ents] for doc in nlp.pipe(SENTENCES)]


def test_disk_without_the_original_directory(make_nlp, encoder_directory, tmp_path, monkeypatch):
    nlp = make_nlp()
    expected = vectors(nlp)
    nlp.to_disk(tmp_path / "pipeline")
    hidden = encoder_directory.with_name("moved")
    shutil.move(encoder_directory, hidden)
    monkeypatch.setattr(pickle, "loads", lambda *a, **k: pytest.fail("pickle"))
    random_state = torch.random.get_rng_state()
    try:
        loaded = spacy.load(tmp_path / "pipeline")
        # no weights were drawn only to be overwritten
        assert torch.equal(random_state, torch.random.get_rng_state())
        assert np.array_equal(vectors(loaded), expected)
    finally:
        shutil.move(hidden, encoder_directory)


def test_file_is_safetensors_in_transformers_names(make_nlp, encoder_directory, tmp_path):
    make_nlp().to_disk(tmp_path)
    file = tmp_path / "transformer" / "model"
    tensors = load_file(file)
    original = load_file(encoder_directory / "model.safetensors")
    for name, tensor in tensors.items():
        assert np.array_equal(tensor, original[f"electra.{name}"])
    about = read_metadata(file.read_bytes())
    assert about["config"]["hidden_size"] == 32
    assert str(encoder_directory) not in json.dumps(about)


def test_bytes_round_trip_is_identical(make_nlp, encoder_directory):
    nlp = make_nlp()
    data = nlp.get_pipe("transformer").model.to_bytes()
    other: Any = spacy.blank("es")
    model = {"@architectures": "spacy-selectra.SelectraModel.v1", "name": None, "get_spans": None}
    other.add_pipe("transformer", config={"model": model})
    other.get_pipe("transformer").model.from_bytes(data)
    assert other.get_pipe("transformer").model.to_bytes() == data
    assert other.get_pipe("transformer").model.get_dim("nO") == 32
    assert np.array_equal(vectors(other), vectors(nlp))
    whole = spacy.blank("es")
    whole.add_pipe("transformer", config={"model": model})
    whole.from_bytes(nlp.to_bytes())
    assert np.array_equal(vectors(whole), vectors(nlp))


def test_unloaded_model(encoder_directory):
    nlp = spacy.blank("es")
    model = {"@architectures": "spacy-selectra.SelectraModel.v1", "name": None, "get_spans": None}
    pipe: Any = nlp.add_pipe("transformer", config={"model": model})
    assert pipe.model.from_bytes(pipe.model.to_bytes()) is pipe.model
    with pytest.raises(SelectraError, match="no weights yet"):
        nlp("Hola")


@pytest.mark.parametrize("damage", [b"\x00" * 30, b"\x81\xa5nodes\x90", None])
def test_damaged_or_foreign_bytes(make_nlp, damage):
    model = make_nlp().get_pipe("transformer").model
    data = damage if damage is not None else model.to_bytes()[:-100]
    with pytest.raises(SelectraError):
        model.from_bytes(data)


def test_copy_is_independent(make_nlp):
    model = make_nlp().get_pipe("transformer").model
    copied = model.copy()
    assert type(copied) is type(model)
    assert copied.shim.id != model.shim.id
    assert copied.to_bytes() == model.to_bytes()
    with torch.no_grad():
        next(copied.shim.encoder.parameters()).zero_()
    assert copied.to_bytes() != model.to_bytes()


def test_listeners_round_trip(make_nlp, tmp_path):
    nlp = ner_pipeline(make_nlp)
    expected = entities(nlp)
    assert any(expected)
    nlp.to_disk(tmp_path)
    assert entities(spacy.load(tmp_path)) == expected


def test_replaced_listeners(make_nlp, tmp_path):
    nlp = ner_pipeline(make_nlp)
    expected = entities(nlp)
    nlp.replace_listeners("transformer", "ner", ["model.tok2vec"])
    nlp.remove_pipe("transformer")
    assert entities(nlp) == expected
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert loaded.pipe_names == ["ner"]
    assert entities(loaded) == expected
    assert (
        entities(spacy.blank("es").from_config(nlp.config).from_bytes(nlp.to_bytes())) == expected
    )


def test_sourced_pipeline_shares_and_keeps(make_nlp, tmp_path):
    nlp = ner_pipeline(make_nlp)
    expected = entities(nlp)
    other = spacy.blank("es", vocab=nlp.vocab)
    other.add_pipe("transformer", source=nlp)
    other.add_pipe("ner", source=nlp)
    assert entities(other) == expected


def test_other_adapters_too(tmp_path):
    from transformers import BertConfig, BertModel

    from spacy_selectra.text.tokenizer import make_tokenizer, save_tokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hola", "mundo", "##s"]
    save_tokenizer(make_tokenizer(words), tmp_path / "bert", max_length=16)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
    )
    BertModel(config).save_pretrained(tmp_path / "bert")
    nlp = spacy.blank("es")
    model = {"@architectures": "spacy-selectra.SelectraModel.v1", "get_spans": None}
    nlp.add_pipe("transformer", config={"model": {**model, "name": str(tmp_path / "bert")}})
    nlp.initialize()
    expected = vectors(nlp, "hola mundos hola")
    nlp.to_disk(tmp_path / "pipeline")
    shutil.rmtree(tmp_path / "bert")
    loaded = spacy.load(tmp_path / "pipeline")
    assert np.allclose(vectors(loaded, "hola mundos hola"), expected, atol=1e-6)
    saved = (tmp_path / "pipeline" / "transformer" / "model").read_bytes()
    assert str(tmp_path).encode() not in saved
