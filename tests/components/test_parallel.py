"""Several threads, copies and devices: always the same results."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc
from thinc.compat import has_cupy_gpu

from tests.components.conftest import SENTENCES
from tests.components.test_odd_inputs import nlp as _pipeline

nlp = _pipeline
TEXTS = [*SENTENCES, "", " ".join(SENTENCES * 5)]


def results(doc: Doc) -> tuple[list[Any], np.ndarray]:
    entities = [(ent.start, ent.end, ent.label_) for ent in doc.ents]
    replaced = [token._.replaced for token in doc]
    return entities, np.array([*doc.cats.values(), *replaced, *doc.vector])


def assert_same(found: tuple[list[Any], np.ndarray], expected: tuple[list[Any], np.ndarray]):
    assert found[0] == expected[0]
    assert np.allclose(found[1], expected[1], atol=1e-4)


def test_two_threads(nlp: Language):
    texts = TEXTS * 6
    expected = [results(nlp(text)) for text in TEXTS] * 6
    with ThreadPoolExecutor(2) as pool:
        for found, wanted in zip(
            pool.map(lambda text: results(nlp(text)), texts), expected, strict=True
        ):
            assert_same(found, wanted)


@pytest.mark.parametrize(
    "name", ["transformer", "ner", "textcat", "selectra_zero_shot", "selectra_replaced"]
)
def test_deep_copy_of_a_component(nlp: Language, name: str):
    expected = [results(nlp(text)) for text in TEXTS]
    copied = copy.deepcopy(nlp.get_pipe(name))
    assert copied is not nlp.get_pipe(name)
    for text, wanted in zip(TEXTS, expected, strict=True):
        doc = nlp.make_doc(text)
        for other, component in nlp.pipeline:
            doc = copied(doc) if other == name else component(doc)
        assert_same(results(doc), wanted)


def test_copied_transformer_has_weights_of_its_own(nlp: Language):
    expected = results(nlp(TEXTS[0]))
    copied: Any = copy.deepcopy(nlp.get_pipe("transformer"))
    with torch.no_grad():
        for parameter in copied.model.shim.encoder.parameters():
            parameter.zero_()
    assert_same(results(nlp(TEXTS[0])), expected)
    assert not copied(nlp.make_doc(TEXTS[0]))._.trf_data.model_output.last_hidden_state.any()


def test_required_cpu(encoder_directory: Path):
    spacy.require_cpu()
    nlp = spacy.blank("es")
    model = {
        "@architectures": "spacy-selectra.SelectraModel.v1",
        "name": str(encoder_directory),
        "get_spans": None,
    }
    transformer: Any = nlp.add_pipe("transformer", config={"model": model})
    nlp.initialize()
    assert transformer.model.shim.encoder.device.type == "cpu"
    assert isinstance(nlp("Sí.")._.trf_data.model_output.last_hidden_state, np.ndarray)


@pytest.mark.skipif(not has_cupy_gpu, reason="needs a GPU and cupy")
def test_required_gpu(nlp: Language, tmp_path: Path):
    expected = [results(nlp(text)) for text in TEXTS]
    nlp.to_disk(tmp_path)
    try:
        spacy.require_gpu()
        loaded = spacy.load(tmp_path)
        transformer: Any = loaded.get_pipe("transformer")
        assert transformer.model.shim.encoder.device.type == "cuda"
        for text, (entities, _) in zip(TEXTS, expected, strict=True):
            doc = loaded(text)
            assert [(ent.start, ent.end, ent.label_) for ent in doc.ents] == entities
    finally:
        spacy.require_cpu()
