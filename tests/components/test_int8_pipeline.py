"""`precision = "int8"` in a pipeline: chosen when loading, weights kept, averages followed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import spacy
import torch
from spacy.language import Language

from spacy_selectra.encoder.cpu.linear import why_not_int8
from tests.components.conftest import SENTENCES

pytestmark = pytest.mark.skipif(
    why_not_int8() is not None, reason="no int8 products on this processor"
)
INT8 = {"components": {"transformer": {"model": {"precision": "int8"}}}}
TEXT = " ".join(SENTENCES)


def vectors(nlp: Language) -> np.ndarray:
    return nlp(TEXT)._.trf_data.model_output.last_hidden_state.copy()


def test_chosen_when_loading_and_saved_without_loss(make_nlp, tmp_path):
    nlp = make_nlp()
    exact = vectors(nlp)
    nlp.to_disk(tmp_path / "float")
    served = spacy.load(tmp_path / "float", config=INT8)
    rounded = vectors(served)
    assert 0 < np.abs(rounded - exact).max() < 0.5
    served.to_disk(tmp_path / "int8")
    weights = [tmp_path / name / "transformer" / "model" for name in ("float", "int8")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    again = spacy.load(tmp_path / "int8")
    assert again.config["components"]["transformer"]["model"]["precision"] == "int8"
    assert np.array_equal(vectors(again), rounded)


def test_dotted_setting(make_nlp, tmp_path):
    make_nlp().to_disk(tmp_path)
    nlp = spacy.load(tmp_path, config={"components.transformer.model.precision": "int8"})
    pipe: Any = nlp.get_pipe("transformer")
    assert pipe.model.shim.options.precision == "int8"


def test_averaged_weights_are_used_and_left_again(make_nlp):
    model = make_nlp(precision="int8").get_pipe("transformer").model
    docs = [spacy.blank("es")(TEXT)]

    def predict() -> np.ndarray:
        return model.predict(docs).model_output.last_hidden_state.numpy().copy()

    before = predict()
    averages = {
        (model.shim.id, name): (2 * parameter.detach()).numpy()
        for name, parameter in model.shim.encoder.named_parameters()
        if "qkv" in name
    }
    assert averages
    with model.use_params(averages):
        within = predict()
    assert np.abs(within - before).max() > 0.05
    assert np.array_equal(predict(), before)


def test_training_step_is_seen(make_nlp):
    model = make_nlp(precision="int8").get_pipe("transformer").model
    docs = [spacy.blank("es")(TEXT)]
    before = model.predict(docs).model_output.last_hidden_state.numpy().copy()
    encoder = model.shim.encoder
    for parameter in encoder.parameters():
        parameter.grad = torch.ones_like(parameter)
    model.shim.finish_update(lambda key, weights, gradient: (weights - 0.3 * np.sign(weights), 0))
    after = model.predict(docs).model_output.last_hidden_state.numpy()
    assert np.abs(after - before).max() > 0.05
    fresh = model.copy().predict(docs).model_output.last_hidden_state.numpy()
    assert np.array_equal(after, fresh)
