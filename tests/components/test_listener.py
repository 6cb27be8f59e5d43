"""The listener against the stock one: same vectors, same gradients, less memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from spacy.training import Example
from spacy_transformers.data_classes import TransformerData
from spacy_transformers.layers import trfs2arrays
from thinc.api import Ragged, reduce_last, reduce_mean, reduce_sum
from transformers.utils import ModelOutput

from spacy_selectra.components.transformer import listener
from spacy_selectra.components.transformer.listener import (
    pooled_tokens,
    selectra_listener,
    token_arrays,
)
from spacy_selectra.errors import SelectraError
from tests.components.conftest import SENTENCES
from tests.components.test_serialization import LISTENER, entities, ner_pipeline

OURS = {**LISTENER, "@architectures": "spacy-selectra.TransformerListener.v1"}
TEXTS = [*SENTENCES, "", "\n", "uno\x00 \x00 dos", " ".join(SENTENCES * 10), "a" * 500 + " y más"]


@pytest.mark.parametrize("at_once", [1, 7, 100_000])
@pytest.mark.parametrize("reduction", [reduce_mean, reduce_sum])
def test_vectors_are_those_of_the_stock_listener(make_nlp, monkeypatch, at_once, reduction):
    monkeypatch.setattr(listener, "PIECES_AT_ONCE", at_once)
    datas = [doc._.trf_data for doc in make_nlp().pipe(TEXTS)]
    expected = trfs2arrays(reduction(), 1.0).predict(datas)
    found = token_arrays(reduction(), 1.0).predict(datas)
    assert len(found) == len(expected) == len(TEXTS)
    for ours, stock in zip(found, expected, strict=True):
        assert np.array_equal(ours, stock)


def test_entities_and_training_are_those_of_the_stock_listener(make_nlp):
    no_dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}

    def make():
        return make_nlp(transformer_config=dict(no_dropout))

    stock, ours = ner_pipeline(make), ner_pipeline(make, OURS)
    ours.get_pipe("ner").model.from_bytes(stock.get_pipe("ner").model.to_bytes())
    assert entities(ours) == entities(stock)
    assert any(entities(stock))
    losses = []
    for nlp in (stock, ours):
        examples = [
            Example.from_dict(nlp.make_doc(text), {"entities": [(0, 2, "PER")]})
            for text in (SENTENCES[0], SENTENCES[2])
        ]
        optimizer = nlp.create_optimizer()
        found: dict[str, float] = {}
        for _ in range(2):
            nlp.update(examples, sgd=False, losses=found, drop=0.0)
            for _, component in nlp.pipeline:
                component.finish_update(optimizer)
        losses.append(found)
    assert losses[0]["transformer"] > 0
    assert losses[1]["ner"] == pytest.approx(losses[0]["ner"], rel=1e-3)
    assert losses[1]["transformer"] == pytest.approx(losses[0]["transformer"], rel=1e-3)


def test_replaced_listener_and_round_trip(make_nlp, tmp_path):
    import spacy

    nlp = ner_pipeline(make_nlp, OURS)
    expected = entities(nlp)
    nlp.to_disk(tmp_path / "shared")
    assert entities(spacy.load(tmp_path / "shared")) == expected
    nlp.replace_listeners("transformer", "ner", ["model.tok2vec"])
    nlp.remove_pipe("transformer")
    assert entities(nlp) == expected
    nlp.to_disk(tmp_path / "own")
    assert entities(spacy.load(tmp_path / "own")) == expected


def test_without_a_transformer_there_are_vectors_for_shapes_only(make_nlp):
    nlp = make_nlp()
    layer = selectra_listener(reduce_mean())
    layer.get_ref("listener").set_dim("nO", 32)
    samples = [nlp.make_doc("Sin nada delante")]
    layer.initialize(samples)
    assert [vectors.shape for vectors in layer.predict(samples)] == [(3, 32)]
    with pytest.raises(SelectraError, match="did not process this document"):
        layer.predict([nlp.make_doc("Sin nada delante")])


def test_memory_is_that_of_the_result():
    tokens, width = 60_000, 32
    hidden = np.ones((1, 2 * tokens, width), dtype="f")
    data = TransformerData(
        wordpieces=None,
        model_output=ModelOutput(last_hidden_state=hidden),
        align=Ragged(np.arange(2 * tokens, dtype="i"), np.full(tokens, 2, dtype="i")),
    )
    tracemalloc.start()
    vectors = pooled_tokens(reduce_last(), data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert vectors.shape == (tokens, width)
    assert peak < vectors.nbytes + hidden.nbytes / 2
