"""Hidden states and attention weights in `trf_data`, as spacy-transformers gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc, DocBin
from thinc.api import Config
from transformers import BertConfig, BertModel

from tests.components.conftest import SENTENCES, strided
from tests.components.test_stock_behaviour import examples, tagged, token_inputs, transformer
from tests.components.test_transformer import STOCK, random_texts

BOTH = {"output_attentions": True, "output_hidden_states": True}
TEXTS = [*SENTENCES, "", " ", *random_texts(4)]


def unpadded(array: np.ndarray, length: int) -> np.ndarray:
    """What one window has of (n, H) vectors or of (heads, n, n) weights."""
    return array[:length] if array.ndim == 2 else array[:, :length, :length]


def assert_like_stock(make_nlp: Any, **settings: Any) -> None:
    ours = make_nlp(transformer_config=dict(BOTH), get_spans=strided(8, 6), **settings)
    stock = make_nlp(STOCK, transformer_config=dict(BOTH), get_spans=strided(8, 6), **settings)
    compared = 0
    for mine, theirs in zip(ours.pipe(TEXTS), stock.pipe(TEXTS), strict=True):
        output, expected = mine._.trf_data.model_output, theirs._.trf_data.model_output
        for kind in ("hidden_states", "attentions") if expected else ():
            assert isinstance(output[kind], list)
            for layer, reference in zip(output[kind], expected[kind], strict=True):
                assert layer.dtype == np.float32
                assert len(layer) == len(reference) == len(mine._.trf_data.wordpieces)
                lengths = theirs._.trf_data.wordpieces.lengths
                for window, other, length in zip(layer, reference, lengths, strict=True):
                    kept = unpadded(window, length)
                    assert np.allclose(kept, unpadded(other, length), atol=1e-4)
                    assert np.count_nonzero(window) == np.count_nonzero(kept)
                    compared += 1
    assert compared > 100


def test_values_and_shapes_are_those_of_stock(make_nlp):
    assert_like_stock(make_nlp)


def test_another_model_than_electra(make_nlp, encoder_directory: Path, tmp_path: Path):
    tokenizer = make_nlp().get_pipe("transformer").model.tokenizer
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(tokenizer), intermediate_size=32, **sizes)
    BertModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    for file in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        (tmp_path / file).write_bytes((encoder_directory / file).read_bytes())
    assert_like_stock(make_nlp, name=str(tmp_path))


def test_whole_batch(make_nlp):
    docs = [spacy.blank("es")(text) for text in random_texts(6)]
    settings = {"transformer_config": dict(BOTH), "get_spans": strided(8, 6)}
    output = transformer(make_nlp(**settings)).model.predict(docs).model_output
    stock = transformer(make_nlp(STOCK, **settings)).model.predict(docs)
    mask = stock.wordpieces.attention_mask > 0
    # transformers 5 adds those of a decoder, which is not there
    assert list(output) == [name for name in stock.model_output if name != "cross_attentions"]
    for mine, theirs in zip(output.hidden_states, stock.model_output.hidden_states, strict=True):
        assert mine.shape == theirs.shape
        assert np.allclose(mine[mask], theirs[mask], atol=1e-4)
    for mine, theirs in zip(output.attentions, stock.model_output.attentions, strict=True):
        assert mine.shape == theirs.shape
        rows = torch.from_numpy(mask)[:, None, :, None]
        assert torch.allclose(mine * rows, theirs * rows, atol=1e-4)


@pytest.mark.parametrize("asked", [{}, *({key: True} for key in BOTH)])
def test_only_what_is_asked_for(make_nlp, asked):
    nlp = make_nlp(transformer_config={**dict.fromkeys(BOTH, False), **asked})
    kinds = {key.removeprefix("output_") for key in asked}
    doc = nlp(SENTENCES[0])
    assert set(doc._.trf_data.model_output) == {"last_hidden_state", *kinds}
    batch = transformer(nlp).model.predict([doc]).model_output
    assert set(batch) == {"last_hidden_state", *kinds}
    for key in BOTH:
        assert getattr(transformer(nlp).model.transformer.config, key) is (key in asked)


@pytest.mark.parametrize("setting", ["return_dict", "torchscript", "use_cache"])
def test_settings_of_calling_change_nothing(make_nlp, setting):
    plain = make_nlp()(SENTENCES[0])._.trf_data.model_output
    for value in (True, False):
        doc = make_nlp(transformer_config={setting: value})(SENTENCES[0])
        assert np.array_equal(doc._.trf_data.model_output[0], plain[0])


def test_the_slower_path_gives_the_same_vectors_with_any_batches(make_nlp):
    text = " ".join(SENTENCES * 8)
    plain = make_nlp()(text)._.trf_data.model_output
    few = make_nlp(transformer_config=dict(BOTH), max_batch_pieces=50)(text)._.trf_data.model_output
    many = make_nlp(transformer_config=dict(BOTH))(text)._.trf_data.model_output
    assert np.allclose(plain.last_hidden_state, many.last_hidden_state, atol=1e-5)
    assert np.array_equal(many.last_hidden_state, many.hidden_states[-1])
    for kind in ("hidden_states", "attentions"):
        for one, other in zip(few[kind], many[kind], strict=True):
            assert np.allclose(one, other, atol=1e-5)


def test_weights_of_a_piece_add_up_to_one(make_nlp):
    data = make_nlp(transformer_config=dict(BOTH))(" ".join(SENTENCES * 4))._.trf_data
    present = data.wordpieces.attention_mask[:, None, :]
    for layer in data.model_output.attentions:
        assert np.allclose(layer.sum(-1), present, atol=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_every_precision(make_nlp, precision):
    data = make_nlp(transformer_config=dict(BOTH), precision=precision)(SENTENCES[0])._.trf_data
    exact = make_nlp(transformer_config=dict(BOTH))(SENTENCES[0])._.trf_data
    for one, other in zip(data.model_output.attentions, exact.model_output.attentions, strict=True):
        assert np.allclose(one, other, atol=0.1)


def test_they_are_saved_and_survive_bytes(make_nlp, tmp_path: Path):
    nlp = make_nlp(transformer_config=dict(BOTH))
    expected = nlp(SENTENCES[0])._.trf_data.model_output
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    for pipeline in (nlp, loaded):
        found = pipeline(SENTENCES[0])
        stored = DocBin(docs=[found], store_user_data=True).to_bytes()
        [again] = DocBin().from_bytes(stored).get_docs(nlp.vocab)
        for doc in (found, again):
            for kind in ("hidden_states", "attentions"):
                for one, other in zip(
                    doc._.trf_data.model_output[kind], expected[kind], strict=True
                ):
                    assert np.allclose(one, other, atol=1e-6)


def test_a_trained_pipeline_can_be_asked_for_them(make_nlp, tmp_path: Path):
    make_nlp().to_disk(tmp_path)
    assert "attentions" not in spacy.load(tmp_path)(SENTENCES[0])._.trf_data.model_output
    config = Config().from_disk(tmp_path / "config.cfg")
    config["components"]["transformer"]["model"]["transformer_config"] = dict(BOTH)
    config.to_disk(tmp_path / "config.cfg")
    output = spacy.load(tmp_path)(SENTENCES[0])._.trf_data.model_output
    assert len(output.attentions) == 2
    assert len(output.hidden_states) == 3


def test_training_and_replaced_listeners(make_nlp):
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    results = []
    for more in ({}, BOTH):
        nlp = tagged(make_nlp, transformer_config={**still, **more})
        weights = transformer(nlp).model.transformer.embeddings.word_embeddings.weight
        before = weights.detach().clone()
        losses: dict[str, float] = {}
        optimizer = nlp.resume_training()
        for _ in range(3):  # no gradient passes a tagger's first weights, which are zeros
            nlp.update(examples(nlp), sgd=optimizer, losses=losses)
        assert not torch.equal(before, weights)
        doc: Doc = nlp(SENTENCES[0])
        inputs = token_inputs(nlp, doc)
        nlp.replace_listeners("transformer", "tagger", ["model.tok2vec"])
        assert np.allclose(token_inputs(nlp, doc), inputs, atol=1e-5)
        results.append((losses["tagger"], inputs))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-4)
    assert np.allclose(results[0][1], results[1][1], atol=1e-3)
