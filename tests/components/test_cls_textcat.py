"""ClsTextCat: the vector of [CLS], its gradient, sharing and replacing the transformer."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import spacy
from spacy.training import Example
from spacy_transformers.data_classes import TransformerData

from spacy_selectra.components.architectures.textcat import cls_textcat
from tests.components.conftest import SENTENCES

TEXTCAT = {"@architectures": "spacy-selectra.ClsTextCat.v1", "exclusive_classes": True}
DATA = [
    ("El equipo ganó el partido.", "deporte"),
    ("El gol llegó al final.", "deporte"),
    ("La bolsa cayó mucho.", "economía"),
    ("El banco sube los tipos.", "economía"),
]


def examples(nlp):
    labels = sorted({label for _, label in DATA})
    return [
        Example.from_dict(nlp.make_doc(text), {"cats": {k: float(k == label) for k in labels}})
        for text, label in DATA
    ]


def pipeline(make_nlp, factory="textcat", **settings):
    nlp = make_nlp()
    nlp.add_pipe(factory, config={"model": {**TEXTCAT, **settings}})
    nlp.initialize(lambda: examples(nlp))
    return nlp


def train(nlp, steps=20, optimizer=None, batch=None):
    """The losses of all steps."""
    if optimizer is None:
        optimizer = nlp.create_optimizer()
        optimizer.learn_rate = 0.003
    batch, losses = batch or examples(nlp), []
    for _ in range(steps):
        losses.append(sum(nlp.update(batch, sgd=False).values()))
        for _, component in nlp.pipeline:
            component.finish_update(optimizer)
    return losses


def test_learns_and_moves_the_encoder(make_nlp):
    nlp = pipeline(make_nlp)
    before = nlp.get_pipe("transformer").model.to_bytes()
    losses = train(nlp)
    assert losses[-1] < losses[0]
    assert nlp.get_pipe("transformer").model.to_bytes() != before
    for text, _ in DATA:
        assert sum(nlp(text).cats.values()) == pytest.approx(1.0, abs=1e-5)


def test_grad_factor_zero_sends_nothing_to_the_encoder(make_nlp):
    nlp = pipeline(make_nlp, grad_factor=0.0)
    train(nlp, 2)
    nlp.update(examples(nlp), sgd=False)
    encoder = nlp.get_pipe("transformer").model.shim.encoder
    assert not any(p.grad.any() for p in encoder.parameters() if p.grad is not None)
    assert nlp.get_pipe("textcat").model.get_ref("output_layer").get_grad("W").any()


def test_several_labels(make_nlp):
    nlp = pipeline(make_nlp, "textcat_multilabel", exclusive_classes=False)
    losses = train(nlp)
    assert losses[-1] < losses[0]
    cats = nlp(DATA[0][0]).cats
    assert all(0 < score < 1 for score in cats.values())
    assert sum(cats.values()) != pytest.approx(1.0, abs=1e-5)


def vectors_layer(model):
    return next(node for node in model.walk() if node.name == "cls-vectors")


def test_is_the_mean_of_cls_over_windows(make_nlp):
    nlp = make_nlp()
    docs = list(nlp.pipe([SENTENCES[0], "", " ".join(SENTENCES * 5)]))
    datas = [doc._.trf_data for doc in docs]
    layer = vectors_layer(cls_textcat(True))
    rows, backprop = layer.begin_update(datas)
    assert np.allclose(rows[0], datas[0].model_output.last_hidden_state[0, 0])
    assert not rows[1].any()
    assert len(datas[2].model_output.last_hidden_state) > 1
    assert np.allclose(rows[2], datas[2].model_output.last_hidden_state[:, 0].mean(0), atol=1e-6)

    d_rows = np.random.default_rng(0).normal(size=rows.shape).astype("f")
    gradients = backprop(d_rows)
    # none for the empty document: that is what the transformer expects
    assert [g.model_output.last_hidden_state.shape for g in gradients] == [
        datas[i].model_output.last_hidden_state.shape for i in (0, 2)
    ]
    windows = len(datas[2].model_output.last_hidden_state)
    assert np.allclose(gradients[1].model_output.last_hidden_state[:, 0], d_rows[2] / windows)
    assert not gradients[1].model_output.last_hidden_state[:, 1:].any()


def test_documents_without_transformer_output(make_nlp):
    layer = vectors_layer(cls_textcat(True))
    assert layer.predict([TransformerData.zeros(0, 8), TransformerData.zeros(3, 8)]).shape == (2, 8)


def test_empty_documents(make_nlp):
    nlp = pipeline(make_nlp)
    assert [set(doc.cats) for doc in nlp.pipe(["", "Sí.", " "])] == [{"deporte", "economía"}] * 3
    batch = [*examples(nlp), Example.from_dict(nlp.make_doc(""), {"cats": {"deporte": 1.0}})]
    train(nlp, 2)  # the head starts at zero and passes nothing back at first
    nlp.update(batch, sgd=False)
    encoder = nlp.get_pipe("transformer").model.shim.encoder
    assert encoder.embeddings.word_embeddings.weight.grad.any()


def test_replaced_listener(make_nlp, tmp_path):
    nlp = pipeline(make_nlp)
    train(nlp, 3)
    expected = nlp(DATA[0][0]).cats
    nlp.replace_listeners("transformer", "textcat", ["model.tok2vec"])
    nlp.remove_pipe("transformer")
    assert nlp(DATA[0][0]).cats == pytest.approx(expected)
    nlp.to_disk(tmp_path)
    assert spacy.load(tmp_path)(DATA[0][0]).cats == pytest.approx(expected)


def test_round_trip(make_nlp, tmp_path):
    nlp = pipeline(make_nlp)
    train(nlp, 3)
    nlp.to_disk(tmp_path)
    assert spacy.load(tmp_path)(DATA[0][0]).cats == pytest.approx(nlp(DATA[0][0]).cats)


@pytest.mark.parametrize("factory", ["textcat", "textcat_multilabel"])
def test_a_label_added_to_a_trained_classifier(make_nlp, tmp_path, factory):
    nlp = pipeline(make_nlp, factory, exclusive_classes=factory == "textcat")
    train(nlp, 3)
    texts = [*(text for text, _ in DATA), ""]
    before = [doc.cats for doc in nlp.pipe(texts)]
    assert nlp.get_pipe(factory).add_label("cultura") == 1
    assert nlp.get_pipe(factory).add_label("deporte") == 0
    for doc, old in zip(nlp.pipe(texts), before, strict=True):
        if len(doc):
            assert doc.cats.pop("cultura") < 1e-4
            assert doc.cats == pytest.approx(old, abs=1e-4)
    expected = [doc.cats for doc in nlp.pipe(texts)]
    nlp.to_disk(tmp_path)
    loaded: Any = spacy.load(tmp_path)
    assert loaded.get_pipe(factory).labels == ("deporte", "economía", "cultura")
    assert [doc.cats for doc in loaded.pipe(texts)] == [pytest.approx(cats) for cats in expected]


@pytest.mark.parametrize("factory", ["textcat", "textcat_multilabel"])
def test_an_added_label_is_learnt(make_nlp, factory):
    nlp = pipeline(make_nlp, factory, exclusive_classes=factory == "textcat")
    optimizer = nlp.create_optimizer()
    optimizer.learn_rate = 0.003
    train(nlp, 5, optimizer)
    nlp.get_pipe(factory).add_label("cultura")
    # labels that are not mentioned count as unknown
    cats = {"cultura": 1.0, "deporte": 0.0, "economía": 0.0}
    new = Example.from_dict(nlp.make_doc("La novela gustó."), {"cats": cats})
    before = nlp(new.text).cats["cultura"]
    # with the same optimizer, which has seen the layer before it grew
    train(nlp, 20, optimizer, [*examples(nlp), new, new])
    assert nlp(new.text).cats["cultura"] > 2 * before


def test_labels_added_before_and_between_initialisations(make_nlp):
    nlp = make_nlp()
    textcat = nlp.add_pipe("textcat", config={"model": TEXTCAT})
    for label in ("deporte", "economía", "cultura"):
        textcat.add_label(label)
    nlp.initialize(lambda: examples(nlp))
    assert set(nlp("Sí.").cats) == {"deporte", "economía", "cultura"}
    textcat.add_label("ciencia")
    nlp.initialize(lambda: examples(nlp))
    assert sum(nlp("Sí.").cats.values()) == pytest.approx(1.0, abs=1e-5)
    assert nlp("Sí.").cats["ciencia"] == pytest.approx(0.25)


def test_a_label_added_after_replacing_the_listener(make_nlp, tmp_path):
    nlp = pipeline(make_nlp)
    train(nlp, 3)
    expected = nlp(DATA[0][0]).cats
    nlp.replace_listeners("transformer", "textcat", ["model.tok2vec"])
    nlp.remove_pipe("transformer")
    nlp.get_pipe("textcat").add_label("cultura")
    cats = nlp(DATA[0][0]).cats
    assert cats["cultura"] < 1e-4
    assert {label: cats[label] for label in expected} == pytest.approx(expected, abs=1e-4)
    nlp.to_disk(tmp_path)
    assert spacy.load(tmp_path)(DATA[0][0]).cats == pytest.approx(cats)


def test_resizing_a_copy_leaves_the_original(make_nlp):
    nlp = pipeline(make_nlp)
    model = nlp.get_pipe("textcat").model
    copied = copy.deepcopy(model)
    copied = copied.attrs["resize_output"](copied, 5)
    assert copied.get_dim("nO") == copied.get_ref("output_layer").get_dim("nO") == 5
    assert model.get_dim("nO") == model.get_ref("output_layer").get_dim("nO") == 2
