"""SelectraModel against spacy-transformers' own model, and on odd documents."""

from __future__ import annotations

import random
import warnings

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc
from spacy_transformers.data_classes import FullTransformerBatch
from thinc.api import reduce_mean

from spacy_selectra.components.transformer.batch import cell_gradient
from spacy_selectra.errors import SelectraError
from tests.components.conftest import SENTENCES, strided

STOCK = "spacy-transformers.TransformerModel.v3"


def random_texts(count: int, seed: int = 0, longest: int = 60) -> list[str]:
    words = " ".join(SENTENCES).split()
    generator = random.Random(seed)
    sizes = [generator.randint(1, longest) for _ in range(count)]
    return [" ".join(generator.choices(words, k=size)) for size in sizes]


def token_vectors(doc: Doc) -> np.ndarray:
    """Mean of the pieces of each token, as a listener computes it."""
    data = doc._.trf_data
    flat = data.model_output.last_hidden_state.reshape(-1, data.width)
    pieces = np.split(flat[data.align.dataXd], np.cumsum(data.align.lengths)[:-1])
    return np.stack([part.mean(0) if len(part) else np.zeros(data.width) for part in pieces])


@pytest.mark.parametrize(("window", "stride"), [(8, 8), (8, 6), (5, 2)])
def test_same_vectors_and_alignment_as_stock(make_nlp, window, stride):
    ours = make_nlp(get_spans=strided(window, stride))
    stock = make_nlp(STOCK, get_spans=strided(window, stride))
    texts = [*random_texts(20), "", "   ", *SENTENCES]
    ours_docs, stock_docs = list(ours.pipe(texts)), list(stock.pipe(texts))
    for mine, theirs in zip(ours_docs, stock_docs, strict=True):
        if not len(mine):
            continue
        assert np.array_equal(mine._.trf_data.align.lengths, theirs._.trf_data.align.lengths)
        assert np.allclose(token_vectors(mine), token_vectors(theirs), atol=1e-4)


def test_whole_batch_has_the_padded_shape_of_stock(make_nlp):
    docs = [spacy.blank("es")(text) for text in random_texts(8)]
    ours = make_nlp(get_spans=strided(8, 6)).get_pipe("transformer").model.predict(docs)
    stock = make_nlp(STOCK, get_spans=strided(8, 6)).get_pipe("transformer").model.predict(docs)
    mask = stock.wordpieces.attention_mask > 0
    assert np.array_equal(ours.wordpieces.input_ids, stock.wordpieces.input_ids)
    assert np.array_equal(ours.wordpieces.attention_mask, stock.wordpieces.attention_mask)
    assert ours.wordpieces.strings == stock.wordpieces.strings
    assert ours.wordpieces.lengths == stock.wordpieces.lengths
    assert np.array_equal(ours.align.dataXd, stock.align.dataXd)
    assert np.array_equal(ours.align.lengths, stock.align.lengths)
    theirs = stock.model_output.last_hidden_state.numpy()
    mine = ours.model_output.last_hidden_state.numpy()
    assert mine.shape == theirs.shape
    assert np.allclose(mine[mask], theirs[mask], atol=1e-4)
    assert not mine[~mask].any()


def test_gradients_are_those_of_stock(make_nlp):
    docs = [spacy.blank("es")(text) for text in random_texts(6)]
    no_dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    gradients = []
    for architecture in ("spacy-selectra.SelectraModel.v1", STOCK):
        nlp = make_nlp(architecture, get_spans=strided(8, 6), transformer_config=dict(no_dropout))
        model = nlp.get_pipe("transformer").model
        batch, backprop = model.begin_update(docs)
        returned = []
        for index, data in enumerate(batch.doc_data):
            flat = np.random.default_rng(index).normal(size=(len(data.align.dataXd), 32))
            gradient = np.zeros_like(data.model_output.last_hidden_state)
            np.add.at(gradient.reshape(-1, 32), data.align.dataXd, flat.astype("f"))
            returned.append([gradient])
        backprop(batch.unsplit_by_doc(returned))
        shim = next(shim for node in model.walk() for shim in node.shims)
        gradients.append(
            {
                name.replace("LayerNorm", "layer_norm"): parameter.grad.numpy()
                for name, parameter in shim._model.named_parameters()
                if name.startswith("embeddings.")
            }
        )
    assert gradients[0].keys() == gradients[1].keys()
    for name, expected in gradients[1].items():
        scale = np.abs(expected).max()
        assert np.allclose(gradients[0][name], expected, atol=1e-4 * scale), name


def test_gradients_of_padded_arrays_are_taken_too(make_nlp):
    docs = [spacy.blank("es")(text) for text in random_texts(6)]
    model = make_nlp(get_spans=strided(8, 6)).get_pipe("transformer").model
    batch, _ = model.begin_update(docs)
    generator = np.random.default_rng(0)
    returned = [
        [generator.normal(size=data.model_output.last_hidden_state.shape).astype("f")]
        for data in batch.doc_data
    ]
    for [gradient], data in zip(returned, batch.doc_data, strict=True):
        gradient[data.wordpieces.attention_mask == 0] = 0
    by_document = batch.unsplit_by_doc(returned)
    stock = FullTransformerBatch(
        batch.spans, batch.wordpieces, by_document.model_output, batch.align
    )
    expected = cell_gradient(by_document, batch.windows)
    assert expected.any()
    assert np.array_equal(cell_gradient(stock, batch.windows), expected)


def test_one_document_and_many_give_the_same(make_nlp):
    nlp = make_nlp()
    texts = random_texts(20, longest=80)
    for text, together in zip(texts, nlp.pipe(texts), strict=True):
        alone = nlp(text)._.trf_data
        shape = alone.model_output.last_hidden_state.shape
        assert together._.trf_data.model_output.last_hidden_state.shape == shape
        assert np.allclose(
            alone.model_output.last_hidden_state,
            together._.trf_data.model_output.last_hidden_state,
            atol=1e-5,
        )


def test_batch_size_of_the_encoder_changes_nothing(make_nlp):
    text = " ".join(SENTENCES * 20)
    small = make_nlp(max_batch_pieces=50)(text)
    large = make_nlp(max_batch_pieces=100_000)(text)
    assert np.allclose(token_vectors(small), token_vectors(large), atol=1e-5)


def test_long_documents_lose_nothing(make_nlp, recwarn):
    nlp = make_nlp()
    doc = nlp(" ".join(SENTENCES * 30))
    data = doc._.trf_data
    assert len(data.wordpieces) > 10
    assert max(data.wordpieces.lengths) <= 40
    assert all(data.align.lengths)
    # evenly: no window is a short remainder
    assert min(data.wordpieces.lengths) > 20
    assert not [warning for warning in recwarn if "pieces" in str(warning.message)]


def test_a_word_longer_than_the_encoder_is_read_whole(make_nlp):
    doc = make_nlp()("supercalifragilística" * 4 + " fin" + ". ¿?" * 40)
    assert doc._.trf_data.align.lengths.min() > 0


def test_stride_repeats_context(make_nlp):
    text = " ".join(SENTENCES * 5)
    plain = make_nlp(window=30)(text)._.trf_data
    overlapping = make_nlp(window=30, stride=20)(text)._.trf_data
    assert max(overlapping.wordpieces.lengths) <= 30
    assert sum(overlapping.wordpieces.lengths) > sum(plain.wordpieces.lengths)
    assert overlapping.align.lengths.max() > plain.align.lengths.max()


def test_truncation_is_announced_once(make_nlp):
    nlp = make_nlp(get_spans=strided(60, 60))
    text = " ".join(SENTENCES * 2)
    with pytest.warns(UserWarning, match=r"2 of 2 spans have more than the encoder"):
        doc = nlp(text)
    assert doc._.trf_data.align.lengths[-1] == 0
    assert doc._.trf_data.wordpieces.strings[0][-1] == "[SEP]"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n\t  \n",
        "a",
        "\u200b",
        "\x00\x07",
        "👩‍👩‍👧 y 🇪🇸",
        "cafe\u0301",
        "漢字とかな",
        "x" * 5000,
    ],
)
def test_odd_documents(make_nlp, text):
    nlp = make_nlp()
    doc = nlp(text)
    data = doc._.trf_data
    assert len(data.align.lengths) == len(doc)
    assert all(len(d) == len(d._.trf_data.align.lengths) for d in nlp.pipe(["Sí.", text, "No."]))


def test_batch_without_tokens(make_nlp):
    model = make_nlp().get_pipe("transformer").model
    batch = model.predict([Doc(spacy.blank("es").vocab)] * 2)
    assert len(batch.doc_data) == 2
    assert model.predict([]).doc_data == []


def test_accents_reach_the_encoder(make_nlp):
    data = make_nlp()("El niño comió piñón en Cádiz")._.trf_data
    pieces = data.wordpieces.strings[0][1:-1]
    assert "".join(pieces).replace("##", "") == "ElniñocomiópiñónenCádiz"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 1000}, "window = 1000 is out of range"),
        ({"stride": 0}, "stride = 0 is out of range"),
        ({"precision": "half"}, "precision 'half'"),
        ({"max_batch_pieces": 0}, "max_batch_pieces"),
        ({"transformer_config": {"hiden_size": 3}}, "hiden_size"),
        ({"name": None}, "no encoder to start from"),
        ({"name": "/nowhere/at/all"}, "no such model directory"),
    ],
)
def test_settings_out_of_range(make_nlp, settings, message):
    with pytest.raises(SelectraError, match=message):
        make_nlp(**settings)


def test_mixed_precision_is_bf16_and_stays_with_its_model(make_nlp):
    first, second = make_nlp(mixed_precision=True), make_nlp()
    assert first.get_pipe("transformer").model.shim.options.precision == "bf16"
    assert second.get_pipe("transformer").model.shim.options.precision == "fast"


def test_bf16_is_close(make_nlp):
    text = " ".join(SENTENCES)
    exact, rounded = make_nlp()(text), make_nlp(precision="bf16")(text)
    difference = np.abs(token_vectors(exact) - token_vectors(rounded)).max()
    assert 0 < difference < 0.2


def test_own_token_vectors_with_pooling(make_nlp, encoder_directory):
    from spacy_selectra.components.transformer.architecture import selectra_model

    docs = [make_nlp()(text) for text in SENTENCES]
    layer = selectra_model(str(encoder_directory), pooling=reduce_mean())
    layer.initialize(X=docs)
    for doc, vectors in zip(docs, layer.predict(docs), strict=True):
        assert np.allclose(vectors, token_vectors(doc), atol=1e-5)
