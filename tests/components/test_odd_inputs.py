"""Odd documents through every component: nothing crashes, and what can be read is read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import fix_random_seed

from tests.components.conftest import SENTENCES
from tests.components.test_serialization import add_ner
from tests.finetuning.tiny import save_classifier, save_discriminator

ODD = {
    "empty": "",
    "spaces": "    ",
    "newlines": "\n\t \r\n\n \u2028",
    "control characters": "a\x07b \x1b[0m \x08 c\x85d",
    "NUL": "uno\x00dos \x00 tres",
    "emoji": "¡Hola 😀! 👍🏽👍 muy bien",
    "ZWJ sequences": "👩‍👩‍👧‍👦 y 🏳️‍🌈 y 🇪🇸",
    "combining accents": "cafe\u0301 nin\u0303o pingu\u0308ino Z\u0300\u0301\u0302algo",
    "accent alone": "\u0301 a \u0301\u0301",
    "long word": "supercalifragilístico" * 143,
    "long word of emoji": "👍" * 3000,
    "zero-width characters": "ca\u200bsa \u200b \ufeff \u200d\u2060 fin",
    "mixed scripts": "Москва, 東京と大阪, 서울, กรุงเทพ y Málaga",
    "right to left": "\u202bשלום עולם\u202c, القاهرة",
    "only punctuation": "¿?¡!...—«»…---",
    "private use and unassigned": "\ue000 \U000e0041 \U0003fffd \ufffd \uffff",
    "special pieces": "[CLS] [SEP] [MASK] [PAD] [UNK]",
    "long": " ".join(SENTENCES * 400),
    "long without spaces": "a1." * 20_000,
}
LABELS = ["deportes", "León"]


@pytest.fixture(scope="module")
def nlp(encoder_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Language:
    """All our components in one pipeline, with random weights."""
    fix_random_seed(0)
    directory = tmp_path_factory.mktemp("models")
    nlp = spacy.blank("es")
    model = {
        "@architectures": "spacy-selectra.SelectraModel.v1",
        "name": str(encoder_directory),
        "get_spans": None,
    }
    nlp.add_pipe("transformer", config={"model": model})
    ner: Any = add_ner(nlp)
    nlp.add_pipe(
        "textcat",
        config={
            "model": {"@architectures": "spacy-selectra.ClsTextCat.v1", "exclusive_classes": True}
        },
    )
    nlp.add_pipe(
        "selectra_zero_shot",
        config={"model": str(save_classifier(directory / "nli")), "labels": LABELS},
    )
    nlp.add_pipe(
        "selectra_replaced", config={"model": str(save_discriminator(directory / "discriminator"))}
    )
    nlp.add_pipe("selectra_vectors")
    examples = [
        Example.from_dict(nlp.make_doc(text), {"entities": [], "cats": {"sí": 1.0, "no": 0.0}})
        for text in SENTENCES
    ]
    nlp.initialize(lambda: examples)
    generator = np.random.default_rng(0)
    for node in ner.model.walk():
        for name in node.param_names:
            value = node.get_param(name)
            value += generator.normal(size=value.shape).astype("f")
    return nlp


def readable(nlp: Language, text: str) -> bool:
    """Whether the normaliser of the encoder's tokenizer leaves anything of a text."""
    transformer: Any = nlp.get_pipe("transformer")
    backend = transformer.model.shim.pieces.backend
    return bool(backend.normalizer.normalize_str(text).strip())


def check(nlp: Language, doc: Doc, text: str) -> None:
    assert doc.text == text
    data = doc._.trf_data
    counts = data.align.lengths
    assert len(counts) == len(doc)
    for token, count in zip(doc, counts, strict=True):
        # the converse does not hold: a dropped character inside a piece belongs to it
        assert count or not readable(nlp, token.text), repr(token.text)
    if len(doc):
        hidden = data.model_output.last_hidden_state
        assert np.isfinite(hidden).all()
        assert data.align.dataXd.max(initial=0) < hidden.shape[0] * hidden.shape[1]
        assert np.isfinite(doc.vector).all()
        assert doc.has_vector == bool(counts.any()) == readable(nlp, text)
    assert all(0 <= token._.replaced <= 1 for token in doc)
    assert {"sí", "no", *LABELS} <= doc.cats.keys()
    assert all(math.isfinite(score) and 0 <= score <= 1 for score in doc.cats.values())
    for entity in doc.ents:
        assert entity.text.strip()


@pytest.mark.filterwarnings("ignore:.*were truncated")
@pytest.mark.parametrize("name", ODD)
def test_odd_document(nlp, name):
    check(nlp, nlp(ODD[name]), ODD[name])


@pytest.mark.filterwarnings("ignore:.*were truncated")
def test_all_together_are_as_each_alone(nlp):
    texts = [text for name, text in ODD.items() if not name.startswith("long")]
    for text, together in zip(texts, nlp.pipe(texts, batch_size=7), strict=True):
        check(nlp, together, text)
        alone = nlp(text)
        assert np.allclose(alone.vector, together.vector, atol=1e-4)
        assert [(e.start, e.end, e.label_) for e in alone.ents] == [
            (e.start, e.end, e.label_) for e in together.ents
        ]
        if len(alone):  # spaCy's textcat gives an empty document zeros only where it is alone
            assert alone.cats == pytest.approx(together.cats, abs=1e-4)
        assert [t._.replaced for t in alone] == pytest.approx(
            [t._.replaced for t in together], abs=1e-4
        )


def test_decomposed_accents_are_read_as_composed_ones(nlp):
    composed, decomposed = nlp("café niño"), nlp("cafe\u0301 nin\u0303o")
    assert np.allclose(composed.vector, decomposed.vector, atol=1e-5)


def test_dropped_characters_leave_the_rest_as_it_is(nlp):
    plain, odd = nlp("una casa"), nlp("una\x00 ca\u200bsa")
    pieces = [doc._.trf_data.wordpieces.input_ids.tolist() for doc in (plain, odd)]
    assert pieces[0] == pieces[1]


def test_words_that_are_not_text_at_all(nlp):
    doc = Doc(nlp.vocab, words=["\u200b", " ", "uno", "\x00"], spaces=[False, True, False, False])
    for _, component in nlp.pipeline:
        doc = component(doc)
    check(nlp, doc, doc.text)


def test_lone_surrogates_are_refused_by_spacy(nlp):
    with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
        nlp("mal \ud800 fin")
    assert nlp("bien")._.trf_data is not None
