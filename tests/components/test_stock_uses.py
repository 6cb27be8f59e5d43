"""Where users of spacy-transformers put its model: inside components, over spans of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import srsly
import torch
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy_transformers.data_classes import TransformerData

from tests.components.conftest import SENTENCES, strided
from tests.components.test_stock_behaviour import (
    OURS,
    examples,
    listener,
    listening,
    tag_scores,
    tagged,
    token_inputs,
    transformer,
)
from tests.components.test_transformer import STOCK, token_vectors


def own_transformer(directory: Path, architecture: str = OURS) -> dict[str, Any]:
    """A token-vector layer for a single component."""
    return {
        "@architectures": architecture,
        "name": str(directory),
        "get_spans": strided(20, 20),
        "tokenizer_config": {},
        "transformer_config": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
        "grad_factor": 1.0,
        "pooling": {"@layers": "reduce_mean.v1"},
    }


def inside_tagger(directory: Path, architecture: str = OURS) -> Language:
    nlp = spacy.blank("es")
    layer = own_transformer(directory, architecture)
    nlp.add_pipe("tagger", config={"model": {**listening(), "tok2vec": layer}})
    return nlp


def inside_textcat(directory: Path) -> Language:
    nlp = spacy.blank("es")
    model = {
        "@architectures": "spacy.TextCatCNN.v2",
        "exclusive_classes": True,
        "tok2vec": own_transformer(directory),
        "nO": None,
    }
    nlp.add_pipe("textcat", config={"model": model})
    return nlp


def texts_with_topics(nlp: Language) -> list[Example]:
    topics = {SENTENCES[0]: "comida", SENTENCES[3]: "viaje"}
    return [
        Example.from_dict(
            nlp.make_doc(text), {"cats": {one: one == topic for one in set(topics.values())}}
        )
        for text, topic in topics.items()
    ]


def losses_of_training(nlp: Language, gold: list[Example], component: str) -> list[float]:
    optimizer = nlp.initialize(lambda: gold)
    optimizer.learn_rate = 0.005
    found = []
    for _ in range(6):
        losses: dict[str, float] = {}
        nlp.update(gold, sgd=optimizer, losses=losses)
        found.append(losses[component])
    return found


def test_tagger_with_a_transformer_of_its_own(encoder_directory: Path, tmp_path: Path):
    nlp = inside_tagger(encoder_directory)
    losses = losses_of_training(nlp, examples(nlp), "tagger")
    assert losses[-1] < losses[0]
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert np.array_equal(tag_scores(loaded), tag_scores(nlp))
    again = inside_tagger(encoder_directory).from_bytes(nlp.to_bytes())
    assert np.array_equal(tag_scores(again), tag_scores(nlp))
    # training had changed the encoder, which is saved with the component
    fresh = inside_tagger(encoder_directory)
    fresh.initialize(lambda: examples(fresh))
    [doc] = [nlp.make_doc(SENTENCES[0])]
    assert not np.allclose(token_inputs(fresh, doc), token_inputs(nlp, doc), atol=1e-3)


def test_tagger_with_its_own_transformer_trains_as_with_stock(encoder_directory: Path):
    runs = []
    for architecture in (OURS, "spacy-transformers.Tok2VecTransformer.v3"):
        nlp = inside_tagger(encoder_directory, architecture)
        runs.append(losses_of_training(nlp, examples(nlp), "tagger"))
    # The optimizer turns the signs of gradients near zero into whole steps, so rounding that
    # differs between the two networks grows with every update.
    assert np.allclose(runs[0][:2], runs[1][:2], rtol=1e-4)
    assert np.allclose(runs[0], runs[1], rtol=1e-2)


def test_text_classifier_with_a_transformer_of_its_own(encoder_directory: Path, tmp_path: Path):
    nlp = inside_textcat(encoder_directory)
    gold = texts_with_topics(nlp)
    losses = losses_of_training(nlp, gold, "textcat")
    assert losses[-1] < losses[0]
    nlp.to_disk(tmp_path)
    for text in (SENTENCES[1], "", " "):
        assert spacy.load(tmp_path)(text).cats == pytest.approx(nlp(text).cats)
    textcat: Any = nlp.get_pipe("textcat")
    assert textcat.is_resizable
    textcat.add_label("otra")
    assert set(nlp(SENTENCES[0]).cats) == {"comida", "viaje", "otra"}


@pytest.mark.parametrize("make", [inside_tagger, inside_textcat])
def test_saved_before_initialisation(encoder_directory: Path, tmp_path: Path, make: Any):
    nlp = make(encoder_directory)
    nlp.to_disk(tmp_path / "disk")
    for again in (
        spacy.load(tmp_path / "disk"),
        make(encoder_directory).from_bytes(nlp.to_bytes()),
    ):
        tagger = "tagger" in again.pipe_names
        gold = examples(again) if tagger else texts_with_topics(again)
        again.initialize(lambda gold=gold: gold)
        doc = again(SENTENCES[0])
        assert all(token.tag_ for token in doc) if tagger else sum(doc.cats.values())


def test_shared_transformer_saved_before_initialisation(encoder_directory: Path, tmp_path: Path):
    nlp = spacy.blank("es")
    model = {"@architectures": OURS, "name": str(encoder_directory), "get_spans": None}
    pipe: Any = nlp.add_pipe("transformer", config={"model": model})
    pipe.from_bytes(pipe.to_bytes())
    assert pipe.model.transformer is None
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    loaded.initialize()
    assert loaded(SENTENCES[0])._.trf_data.width == 32


@pytest.mark.parametrize("architecture", [OURS, STOCK])
def test_replacing_listeners_that_are_not_there(make_nlp, architecture: str):
    nlp = tagged(make_nlp, architecture, get_spans=strided())
    for arguments in (
        ("other", "tagger", ["model.tok2vec"]),
        ("transformer", "parser", ["model.tok2vec"]),
        ("transformer", "tagger", ["model.other"]),
        ("transformer", "tagger", ["model.tok2vec", "model.other"]),
    ):
        with pytest.raises(ValueError):
            nlp.replace_listeners(*arguments)
    assert listener(nlp) is not None


def test_sourced_component_that_gets_a_transformer_of_its_own(make_nlp, tmp_path: Path):
    source = tagged(make_nlp)
    doc = source(SENTENCES[0])
    expected = token_inputs(source, doc)
    source.to_disk(tmp_path / "source")
    nlp = spacy.util.load_model_from_config(
        {
            "nlp": {"lang": "es", "pipeline": ["transformer", "tagger"]},
            "components": {
                "transformer": {"source": str(tmp_path / "source")},
                "tagger": {
                    "source": str(tmp_path / "source"),
                    "replace_listeners": ["model.tok2vec"],
                },
            },
        },
        auto_fill=True,
    )
    assert transformer(nlp).listening_components == []
    tagger = nlp.config["components"]["tagger"]["model"]["tok2vec"]
    assert tagger["@architectures"] == OURS
    assert tagger["pooling"] == {"@layers": "reduce_mean.v1"}
    nlp.to_disk(tmp_path / "target")
    for pipeline in (nlp, spacy.load(tmp_path / "target")):
        assert np.allclose(token_inputs(pipeline, doc), expected, atol=1e-5)


def test_predicting_within_an_update_leaves_its_gradient(make_nlp):
    nlp = tagged(make_nlp)
    gold = examples(nlp)
    transformer(nlp).update(gold)
    waiting = listener(nlp)._backprop
    assert waiting is not None
    transformer(nlp).predict([example.predicted for example in gold])
    assert listener(nlp)._backprop is waiting


def test_sentences_as_spans(make_nlp):
    sentences = {"@span_getters": "spacy-transformers.sent_spans.v1"}
    ours, stock = make_nlp(get_spans=sentences), make_nlp(STOCK, get_spans=sentences)
    for nlp in (ours, stock):
        nlp.add_pipe("sentencizer", first=True)
    docs = [nlp(" ".join([*SENTENCES[:2], SENTENCES[5]])) for nlp in (ours, stock)]
    windows = [doc._.trf_data.wordpieces.lengths for doc in docs]
    assert windows[0] == windows[1]
    assert len(windows[0]) == len(list(docs[0].sents)) == 4
    assert np.allclose(token_vectors(docs[0]), token_vectors(docs[1]), atol=1e-4)


@pytest.mark.parametrize("size", [1, 3, 7])
def test_spans_of_ones_own(make_nlp, size: int):
    name = f"selectra_tests.every_{size}.v1"

    @spacy.registry.span_getters(name)
    def make() -> Any:
        def pieces(docs: list[Doc]) -> list[list[Span]]:
            return [[doc[i : i + size] for i in range(0, len(doc), size)] for doc in docs]

        return pieces

    getter = {"@span_getters": name}
    docs = [
        make_nlp(architecture, get_spans=getter)(SENTENCES[1]) for architecture in (OURS, STOCK)
    ]
    assert len(docs[0]._.trf_data.wordpieces) == -(-len(docs[0]) // size)
    assert np.array_equal(*(doc._.trf_data.align.lengths for doc in docs))
    assert np.allclose(*(token_vectors(doc) for doc in docs), atol=1e-4)


def test_a_word_of_a_thousand_parts_is_cut_where_the_encoder_ends(make_nlp):
    url = "https://example.com/" + "a/" * 1000
    nlp = make_nlp(get_spans=strided())
    with pytest.warns(UserWarning, match="pieces"):
        doc = nlp(url)
    assert len(doc) == 1
    assert doc._.trf_data.align.lengths.tolist() == [38]
    whole = make_nlp()(url)  # without a span getter nothing is cut
    assert sum(whole._.trf_data.wordpieces.lengths) > 1000


def test_pieces_of_a_batch_can_be_taken_apart(make_nlp):
    nlp = make_nlp(get_spans=strided(8, 6))
    batch = transformer(nlp).model.predict([nlp.make_doc(text) for text in SENTENCES])
    pieces = batch.wordpieces
    assert len(pieces) == sum(len(spans) for spans in batch.spans)
    part = pieces[1:3]
    assert part.strings == pieces.strings[1:3]
    assert part.lengths == pieces.lengths[1:3]
    assert np.array_equal(part.input_ids, pieces.input_ids[1:3])
    for name, tensor in batch.tokens.items():
        assert name == "input_texts" or isinstance(tensor, torch.Tensor)
    alone = pieces[0]
    assert (len(alone), alone.input_ids.shape) == (1, (1, pieces.input_ids.shape[1]))


def test_data_survives_messages(make_nlp):
    data = make_nlp()(SENTENCES[2])._.trf_data
    for one in (data, TransformerData.empty()):
        again = srsly.msgpack_loads(srsly.msgpack_dumps({"x": one}))["x"]
        assert isinstance(again, TransformerData)
        assert again.wordpieces.strings == one.wordpieces.strings
        assert len(again.tensors) == len(one.tensors)
        assert all(np.array_equal(*pair) for pair in zip(again.tensors, one.tensors, strict=True))
