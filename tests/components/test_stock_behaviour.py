"""The stock `transformer` component over our architecture does what it does over its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy_transformers import Transformer
from spacy_transformers.data_classes import FullTransformerBatch
from spacy_transformers.layers import TransformerListener

from tests.components.conftest import SENTENCES, strided
from tests.components.test_transformer import STOCK

OURS = "spacy-selectra.SelectraModel.v1"
TAGS = {
    "El niño comió piñón en Cádiz.": ["DET", "NOUN", "VERB", "NOUN", "ADP", "PROPN", "PUNCT"],
    "Sí.": ["INTJ", "PUNCT"],
}


def listening(pooling: str = "reduce_mean.v1", grad_factor: float = 1.0) -> dict[str, Any]:
    """A tagger's model over the transformer."""
    return {
        "@architectures": "spacy.Tagger.v2",
        "nO": None,
        "tok2vec": {
            "@architectures": "spacy-transformers.TransformerListener.v1",
            "grad_factor": grad_factor,
            "pooling": {"@layers": pooling},
        },
    }


def examples(nlp: Language) -> list[Example]:
    return [Example.from_dict(nlp.make_doc(text), {"tags": tags}) for text, tags in TAGS.items()]


def tagged(make_nlp, architecture: str = OURS, **settings: Any) -> Language:
    """An initialised pipeline of a transformer and a tagger listening to it."""
    options = {key: settings.pop(key) for key in ("pooling", "grad_factor") if key in settings}
    nlp = make_nlp(architecture, **settings)
    nlp.add_pipe("tagger", config={"model": listening(**options)})
    nlp.initialize(lambda: examples(nlp))
    return nlp


def transformer(nlp: Language, name: str = "transformer") -> Any:
    found = nlp.get_pipe(name)
    assert isinstance(found, Transformer)
    return found


def listener(nlp: Language, component: str = "tagger") -> TransformerListener:
    pipe: Any = nlp.get_pipe(component)
    return next(node for node in pipe.model.walk() if isinstance(node, TransformerListener))


def token_inputs(nlp: Language, doc: Doc) -> np.ndarray:
    """What the tagger's own layers get for each token."""
    pipe: Any = nlp.get_pipe("tagger")
    return pipe.model.get_ref("tok2vec").predict([doc])[0]


def tag_scores(nlp: Language, text: str = SENTENCES[0]) -> np.ndarray:
    pipe: Any = nlp.get_pipe("tagger")
    return pipe.model.predict([nlp(text)])[0]


def test_shapes_of_what_a_document_gets(make_nlp):
    nlp = make_nlp(window=20)
    doc = nlp(" ".join(SENTENCES[:3]))
    data = doc._.trf_data
    windows, longest = len(data.wordpieces), max(data.wordpieces.lengths)
    assert windows > 1
    assert data.width == 32
    assert [tensor.shape for tensor in data.tensors] == [(windows, longest, 32)]
    assert data.wordpieces.input_ids.shape == (windows, longest)
    assert data.wordpieces.attention_mask.shape == (windows, longest)
    assert [len(row) for row in data.wordpieces.strings] == [longest] * windows
    assert data.wordpieces.attention_mask.sum(1).tolist() == data.wordpieces.lengths
    assert len(data.align.lengths) == len(doc)
    assert data.align.lengths.sum() == len(data.align.dataXd)
    pieces = [piece for row in data.wordpieces.strings for piece in row]
    for token, count, end in zip(
        doc, data.align.lengths, np.cumsum(data.align.lengths), strict=True
    ):
        mine = [pieces[place] for place in data.align.dataXd[end - count : end].reshape(-1)]
        assert "".join(mine).replace("##", "") == token.text


def test_document_data_survives_bytes(make_nlp):
    doc = make_nlp()(SENTENCES[0])
    read = Doc(doc.vocab).from_bytes(doc.to_bytes())
    before, after = doc._.trf_data, read._.trf_data
    assert np.array_equal(after.tensors[0], before.tensors[0])
    assert np.array_equal(after.align.dataXd, before.align.dataXd)
    assert after.wordpieces.strings == before.wordpieces.strings


def test_width_is_known_after_initialisation_and_reaches_listeners(make_nlp, encoder_directory):
    nlp = spacy.blank("es")
    model = {"@architectures": OURS, "name": str(encoder_directory), "get_spans": None}
    nlp.add_pipe("transformer", config={"model": model})
    nlp.add_pipe("tagger", config={"model": listening()})
    assert transformer(nlp).model.has_dim("nO") is None
    nlp.initialize(lambda: examples(nlp))
    assert transformer(nlp).model.get_dim("nO") == 32
    assert listener(nlp).get_dim("nO") == 32
    # a listener that comes later learns it at once
    nlp.add_pipe("tagger", name="later", config={"model": listening()})
    assert listener(nlp, "later").get_dim("nO") == 32
    assert transformer(nlp).listening_components == ["tagger", "later"]
    nlp.remove_pipe("later")
    assert transformer(nlp).listening_components == ["tagger"]


def test_every_listener_gets_the_same_vectors(make_nlp):
    nlp = tagged(make_nlp)
    nlp.add_pipe("tagger", name="second", config={"model": listening()})
    docs = list(nlp.pipe([SENTENCES[0], "", " ", " ".join(SENTENCES * 3)], disable=["second"]))
    first = listener(nlp).predict(docs)
    second = listener(nlp, "second").predict(docs)
    for doc, mine, theirs in zip(docs, first, second, strict=True):
        assert mine is theirs is doc._.trf_data
    # and in training those of the update, not those of the document
    transformer(nlp).update([Example(doc.copy(), doc.copy()) for doc in docs])
    for name in ("tagger", "second"):
        received, _ = listener(nlp, name).begin_update(docs)
        assert [len(data.align.lengths) for data in received] == [len(doc) for doc in docs]


@pytest.mark.parametrize("pooling", ["reduce_mean.v1", "reduce_max.v1", "reduce_last.v1"])
def test_pooling(make_nlp, pooling):
    text = "El niño comió piñón en Zaragoza."
    both = []
    for architecture in (OURS, STOCK):
        nlp = tagged(make_nlp, architecture, pooling=pooling, get_spans=strided(8, 6))
        doc = nlp(text)
        both.append(token_inputs(nlp, doc))
        data = doc._.trf_data
        flat = data.tensors[0].reshape(-1, 32)
        reduce = {
            "reduce_mean.v1": lambda rows: rows.mean(0),
            "reduce_max.v1": lambda rows: rows.max(0),
            "reduce_last.v1": lambda rows: rows[-1],
        }[pooling]
        parts = np.split(flat[data.align.dataXd.reshape(-1)], np.cumsum(data.align.lengths)[:-1])
        assert max(len(part) for part in parts) > 1
        assert np.allclose(both[-1], np.stack([reduce(part) for part in parts]), atol=1e-5)
    assert np.allclose(both[0], both[1], atol=1e-4)


def test_truncation_is_that_of_stock_but_for_the_last_piece(make_nlp):
    texts = [" ".join(SENTENCES * 3), SENTENCES[0]]
    ours = make_nlp(get_spans=strided(60, 60))
    stock = make_nlp(STOCK, get_spans=strided(60, 60))
    with pytest.warns(UserWarning, match="40 pieces"):
        mine = [doc._.trf_data for doc in ours.pipe(texts)]
    theirs = [doc._.trf_data for doc in stock.pipe(texts)]
    # ours keep [SEP] at the end and a piece of text less for it
    (cut,) = (row[:40] for row in mine[0].wordpieces.strings[:1])
    assert (cut[-1], mine[0].wordpieces.lengths[0]) == ("[SEP]", 40)
    assert cut[:-1] == theirs[0].wordpieces.strings[0][:39]
    difference = theirs[0].align.lengths - mine[0].align.lengths
    assert difference.min() == 0
    assert difference.sum() == sum(length == 40 for length in mine[0].wordpieces.lengths)
    # the window that fits is the same
    assert np.array_equal(mine[1].align.lengths, theirs[1].align.lengths)
    count = mine[1].wordpieces.lengths[0]
    assert np.allclose(mine[1].tensors[0][:, :count], theirs[1].tensors[0][:, :count], atol=1e-4)


@pytest.mark.parametrize("architecture", [OURS, STOCK])
def test_empty_documents_among_others(make_nlp, architecture):
    settings = {} if architecture == OURS else {"get_spans": strided()}
    nlp = tagged(make_nlp, architecture, **settings)
    texts = ["", SENTENCES[0], "", " ", SENTENCES[5], ""]
    docs = list(nlp.pipe(texts))
    assert [[token.text for token in doc] for doc in docs] == [
        [token.text for token in nlp.make_doc(text)] for text in texts
    ]
    assert not docs[0]._.trf_data.tensors
    for text, doc in zip(texts, docs, strict=True):
        alone = nlp(text)._.trf_data
        assert np.allclose(alone.align.lengths, doc._.trf_data.align.lengths)
    batch = [Example.from_dict(nlp.make_doc(text), {}) for text in ("", " ", "")]
    nlp.update([*batch, *examples(nlp), *batch], sgd=False)
    nlp.update(batch[:1], sgd=False)
    assert list(nlp.pipe(["", ""]))[1]._.trf_data is not None


def test_sourced_components_go_on_sharing(make_nlp):
    source = tagged(make_nlp)
    tagger: Any = source.get_pipe("tagger")
    softmax = tagger.model.get_ref("softmax")
    drawn = np.random.default_rng(0).normal(size=softmax.get_param("W").shape)
    softmax.set_param("W", drawn.astype("f"))  # zeros would not tell whose vectors they get
    expected = tag_scores(source)
    nlp = spacy.blank("es")
    nlp.add_pipe("transformer", source=source)
    nlp.add_pipe("tagger", source=source)
    assert np.allclose(tag_scores(nlp), expected, atol=1e-6)
    assert transformer(nlp).listening_components == ["tagger"]
    # under another name the listener of any transformer still finds it
    renamed = spacy.blank("es")
    renamed.add_pipe("transformer", name="encoder", source=source)
    renamed.add_pipe("tagger", source=source)
    assert np.allclose(tag_scores(renamed), expected, atol=1e-6)
    assert transformer(renamed, "encoder").listening_components == ["tagger"]


@pytest.mark.parametrize("most", [1, 20, 10_000])
def test_max_batch_items_bounds_batches_and_changes_nothing(make_nlp, most):
    nlp = make_nlp()
    texts = [SENTENCES[i % 6] for i in range(15)]
    expected = [nlp(text)._.trf_data.tensors[0] for text in texts]
    pipe = transformer(nlp)
    pipe.cfg["max_batch_items"] = most
    batches: list[int] = []
    predict = pipe.model._func

    def counted(model: Any, docs: list[Doc], is_train: bool) -> Any:
        batches.append(len(docs))
        return predict(model, docs, is_train)

    pipe.model._func = counted
    for doc, vectors in zip(nlp.pipe(texts), expected, strict=True):
        assert np.allclose(doc._.trf_data.tensors[0], vectors, atol=1e-5)
    assert sum(batches) == 15
    assert (len(batches) == 15) == (most == 1)
    assert (len(batches) == 1) == (most == 10_000)


def test_extra_annotations_see_the_whole_batch(make_nlp):
    nlp = make_nlp()
    seen: list[tuple[list[Doc], FullTransformerBatch]] = []
    transformer(nlp).set_extra_annotations = lambda docs, batch: seen.append((docs, batch))
    docs = list(nlp.pipe(SENTENCES))
    assert [doc for batch, _ in seen for doc in batch] == docs
    for batch, result in seen:
        assert isinstance(result, FullTransformerBatch)
        assert [data is doc._.trf_data for doc, data in zip(batch, result.doc_data, strict=True)]
        windows = [window for windows in result.spans for window in windows]
        assert tuple(result.tensors[0].shape) == (
            len(windows),
            max(result.wordpieces.lengths),
            32,
        )
    assert not nlp("")._.trf_data.tensors


def test_extra_annotations_from_the_configuration(make_nlp, encoder_directory, tmp_path: Path):
    @spacy.registry.annotation_setters("selectra_tests.sums.v1")
    def make() -> Any:
        def set_sums(docs: list[Doc], batch: FullTransformerBatch) -> None:
            for doc, data in zip(docs, batch.doc_data, strict=True):
                doc.user_data["sum"] = float(sum(tensor.sum() for tensor in data.tensors))

        return set_sums

    nlp = spacy.blank("es")
    nlp.add_pipe(
        "transformer",
        config={
            "model": {"@architectures": OURS, "name": str(encoder_directory), "get_spans": None},
            "set_extra_annotations": {"@annotation_setters": "selectra_tests.sums.v1"},
        },
    )
    nlp.initialize()
    nlp.to_disk(tmp_path)
    for pipeline in (nlp, spacy.load(tmp_path)):
        doc = pipeline(SENTENCES[0])
        assert doc.user_data["sum"] == pytest.approx(float(doc._.trf_data.tensors[0].sum()))
