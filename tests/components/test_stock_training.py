"""Training through the stock `transformer` component over our architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from spacy.language import Language
from thinc.api import Adam

from tests.components.conftest import strided
from tests.components.test_stock_behaviour import (
    OURS,
    STOCK,
    examples,
    listening,
    tag_scores,
    tagged,
    transformer,
)

# without dropout training is the same for equal gradients
STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def train(nlp: Language, steps: int, optimizer: Any = None, **more: Any) -> list[float]:
    if optimizer is None:
        optimizer = nlp.create_optimizer()
        optimizer.learn_rate = 0.003
    batch = examples(nlp)
    losses = []
    for _ in range(steps):
        found = nlp.update(batch, sgd=False, **more)
        losses.append(found["tagger"])
        pipes: list[tuple[str, Any]] = nlp.pipeline
        for name, pipe in pipes:
            if name not in more.get("exclude", []):
                pipe.finish_update(optimizer)
    return losses


def weights(nlp: Language) -> bytes:
    return transformer(nlp).model.to_bytes()


def test_gradients_of_all_listeners_arrive(make_nlp):
    gradients = []
    for count in (1, 2):
        nlp = make_nlp(transformer_config=dict(STILL))
        names = ["tagger", "second"][:count]
        for name in names:
            nlp.add_pipe("tagger", name=name, config={"model": listening()})
        nlp.initialize(lambda nlp=nlp: examples(nlp))
        rng = np.random.default_rng(0)
        drawn = rng.normal(
            size=nlp.get_pipe("tagger").model.get_ref("softmax").get_param("W").shape
        )
        for name in names:
            nlp.get_pipe(name).model.get_ref("softmax").set_param("W", drawn.astype("f"))
        nlp.update(examples(nlp), sgd=False)
        encoder = transformer(nlp).model.shim.encoder
        gradients.append(encoder.layers[0].qkv.weight.grad.numpy())
    assert np.abs(gradients[0]).max() > 0
    assert np.allclose(gradients[1], 2 * gradients[0], rtol=1e-3, atol=1e-6)


def test_training_lowers_the_loss_and_changes_the_encoder(make_nlp):
    nlp = tagged(make_nlp)
    before = weights(nlp)
    losses = train(nlp, 20)
    assert losses[-1] < 0.8 * losses[0]
    assert weights(nlp) != before


def test_training_goes_as_with_stock(make_nlp):
    losses = []
    for architecture in (OURS, STOCK):
        settings = {"get_spans": strided(8, 6), "transformer_config": dict(STILL)}
        nlp = tagged(make_nlp, architecture, **settings)
        losses.append(train(nlp, 8))
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)


def test_gradient_factor_of_zero_keeps_the_encoder(make_nlp):
    nlp = tagged(make_nlp, grad_factor=0.0)
    before = weights(nlp)
    # weight decay needs no gradient, so none of it
    train(nlp, 3, Adam(0.003, L2=0.0))
    assert weights(nlp) == before


def test_frozen_transformer_that_annotates(make_nlp):
    nlp = tagged(make_nlp)
    before = weights(nlp)
    losses = train(nlp, 10, exclude=["transformer"], annotates=["transformer"])
    assert losses[-1] < losses[0]
    assert weights(nlp) == before
    with pytest.raises(ValueError, match="E203"):
        train(nlp, 1, exclude=["transformer"])


def test_replaced_listener_trains_an_encoder_of_its_own(make_nlp):
    nlp = tagged(make_nlp)
    train(nlp, 3)
    expected, shared = tag_scores(nlp), weights(nlp)
    nlp.replace_listeners("transformer", "tagger", ["model.tok2vec"])
    assert transformer(nlp).listeners == []
    assert np.allclose(tag_scores(nlp), expected, atol=1e-5)
    tagger: Any = nlp.get_pipe("tagger")
    before = tagger.model.to_bytes()
    losses = train(nlp, 10)
    assert losses[-1] < losses[0]
    assert tagger.model.to_bytes() != before
    assert weights(nlp) == shared


def test_saving_inside_training_and_going_on(make_nlp, tmp_path: Path):
    nlp = tagged(make_nlp, transformer_config=dict(STILL))
    optimizer = nlp.create_optimizer()
    optimizer.learn_rate = 0.001
    train(nlp, 5, optimizer)
    nlp.to_disk(tmp_path)
    as_bytes = nlp.to_bytes()
    expected = train(nlp, 3)
    # saving changed nothing, and what was saved goes on in the same way
    loaded = spacy.load(tmp_path)
    copied = spacy.blank("es").from_config(nlp.config).from_bytes(as_bytes)
    for resumed in (loaded, copied):
        resumed.resume_training()
        assert train(resumed, 3) == pytest.approx(expected, rel=1e-4)
