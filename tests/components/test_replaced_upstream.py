"""`selectra_replaced` over the pipeline's own transformer: one encoder for both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_selectra.encoder.checkpoint import load_discriminator, save_model
from spacy_selectra.encoder.electra import SelectraEncoder
from spacy_selectra.errors import SelectraError
from tests.components.conftest import strided
from tests.finetuning.tiny import save_classifier, save_discriminator

FACTORY = "selectra_replaced"
TEXTS = ["El burro come en Mérida.", "", "¿El gato?  No, el pingüino\n\ncanta.", " \n", "canta"]
LONG = "El burro come en Cádiz y El niño canta . " * 9
OURS = "spacy-selectra.SelectraModel.v1"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_discriminator(tmp_path_factory.mktemp("upstream") / "model"))


@pytest.fixture(scope="module")
def other(model: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Other weights, also in the last layer's norm, where fresh encoders are all the same."""
    directory = str(save_discriminator(tmp_path_factory.mktemp("other") / "model", seed=1))
    discriminator = load_discriminator(directory)
    with torch.no_grad():
        discriminator.encoder.layers[-1].output_norm.weight.uniform_(0.9, 1.1)
    save_model(discriminator, directory, tokenizer=model)
    return directory


@Language.component("selectra_tests_merge")
def merge(doc: Doc) -> Doc:
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[:2])
    return doc


def with_transformer(encoder: str, architecture: str = OURS, **settings: Any) -> Language:
    nlp = spacy.blank("es")
    config = {"@architectures": architecture, "name": encoder, "get_spans": None, **settings}
    nlp.add_pipe("transformer", config={"model": config})
    return nlp


def shared(model: str, encoder: str | None = None, **settings: Any) -> Language:
    nlp = with_transformer(encoder or model, **settings)
    nlp.add_pipe(FACTORY, config={"model": model, "upstream": "transformer"})
    nlp.initialize()
    return nlp


def own(model: str) -> Language:
    nlp = spacy.blank("es")
    nlp.add_pipe(FACTORY, config={"model": model})
    return nlp


def encoder_of(nlp: Language) -> SelectraEncoder:
    pipe: Any = nlp.get_pipe("transformer")
    return pipe.model.shim.encoder


def values(doc: Doc) -> list[float]:
    return [token._.replaced for token in doc]


def test_same_as_with_an_encoder_of_its_own(model: str):
    nlp, alone = shared(model), own(model)
    for mine, theirs in zip(nlp.pipe(TEXTS), alone.pipe(TEXTS), strict=True):
        assert values(mine) == pytest.approx(values(theirs), abs=1e-5)
        spans = [
            [(s.start, s.end, s.label_) for s in doc.spans["replaced"]] for doc in (mine, theirs)
        ]
        assert spans[0] == spans[1]
    assert values(nlp(TEXTS[0])) == pytest.approx(values(alone(TEXTS[0])), abs=1e-5)


def test_one_forward_pass(model: str, monkeypatch: pytest.MonkeyPatch):
    nlp = shared(model)
    encoded = []
    forward = SelectraEncoder.forward

    def counted(self: SelectraEncoder, ids: torch.Tensor, *rest: Any) -> torch.Tensor:
        encoded.append(len(ids))
        return forward(self, ids, *rest)

    monkeypatch.setattr(SelectraEncoder, "forward", counted)
    doc = nlp(TEXTS[0])
    assert encoded == [sum(doc._.trf_data.wordpieces.lengths)]


@pytest.mark.parametrize("settings", [{}, {"stride": 20}, {"get_spans": strided(20, 15)}])
def test_long_documents_are_judged_to_their_end(model: str, settings: dict[str, Any]):
    doc = shared(model, **settings)(LONG)
    assert len(doc._.trf_data.wordpieces) > 1
    assert all(value > 0 for value in values(doc))


def test_overlapping_windows_give_words_the_wider_context(model: str):
    nlp = shared(model, get_spans=strided(20, 10))
    doc = nlp(LONG)
    # single characters and whole words: a token is a piece; windows are tokens 0-19, 10-29, ...
    for place, window in ((12, 0), (17, 10), (24, 10), (26, 20)):
        alone = own(model)(doc[window : window + 20].text)
        assert len(alone) == 20
        assert values(doc)[place] == pytest.approx(values(alone)[place - window], abs=1e-5)


def test_words_cut_off_by_truncation_are_not_judged(model: str):
    nlp = shared(model, get_spans=strided(90, 90))
    with pytest.warns(UserWarning, match="were truncated"):
        doc = nlp(LONG)
    assert values(doc)[0] > 0
    assert values(doc)[89] == 0


def test_over_the_stock_architecture(model: str):
    nlp = shared(model, architecture="spacy-transformers.TransformerModel.v3", get_spans=strided())
    for mine, theirs in zip(nlp.pipe(TEXTS), own(model).pipe(TEXTS), strict=True):
        assert values(mine) == pytest.approx(values(theirs), abs=1e-5)


def test_leaves_listeners_alone(model: str):
    nlp = with_transformer(model)
    textcat = {"@architectures": "spacy-selectra.ClsTextCat.v1", "exclusive_classes": True}
    nlp.add_pipe(FACTORY, config={"model": model, "upstream": "transformer"})
    nlp.add_pipe("textcat", config={"model": textcat})
    cats = {"uno": 1.0, "dos": 0.0}
    examples = [Example.from_dict(nlp.make_doc(TEXTS[0]), {"cats": cats})]
    nlp.initialize(lambda: examples)
    transformer: Any = nlp.get_pipe("transformer")
    assert transformer.listening_components == ["textcat"]
    expected = values(own(model)(TEXTS[0]))
    assert values(nlp(TEXTS[0])) == pytest.approx(expected, abs=1e-5)
    with nlp.select_pipes(enable=["transformer", "textcat"]):
        assert nlp.update(examples, sgd=False)["textcat"] > 0


@pytest.mark.parametrize("text", [TEXTS[0], ""])
def test_without_transformer_output(model: str, text: str):
    nlp = shared(model)
    message = r"reads doc\._\.trf_data.*put it after transformer 'transformer'"
    with nlp.select_pipes(disable="transformer"), pytest.raises(SelectraError, match=message):
        nlp(text)
    first = with_transformer(model)
    first.add_pipe(FACTORY, first=True, config={"model": model, "upstream": "transformer"})
    first.initialize()
    with pytest.raises(SelectraError, match=message):
        first(text)


def test_tokens_merged_after_the_transformer(model: str):
    nlp = shared(model)
    nlp.add_pipe("selectra_tests_merge", before=FACTORY)
    with pytest.raises(SelectraError, match=r"merged or split.*put 'selectra_replaced' before"):
        nlp(TEXTS[0])


NOT_ITS_ENCODER = "transformer 'transformer' does not have the encoder of the discriminator"


def test_another_model(model: str, other: str):
    with pytest.raises(SelectraError, match=NOT_ITS_ENCODER):
        shared(model, encoder=other)(TEXTS[0])


@pytest.mark.parametrize("seen_before", [False, True])
def test_fine_tuned_transformer(model: str, seen_before: bool):
    nlp: Any = with_transformer(model)
    textcat = {"@architectures": "spacy-selectra.ClsTextCat.v1", "exclusive_classes": True}
    nlp.add_pipe("textcat", config={"model": textcat})
    cats = [{"uno": 1.0, "dos": 0.0}, {"uno": 0.0, "dos": 1.0}]
    texts = (TEXTS[0], TEXTS[2])
    examples = [
        Example.from_dict(nlp.make_doc(text), {"cats": cat})
        for text, cat in zip(texts, cats, strict=True)
    ]
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 5e-5
    nlp.add_pipe(FACTORY, config={"model": model, "upstream": "transformer"})
    if seen_before:
        nlp(TEXTS[0])
    with nlp.select_pipes(disable=FACTORY):
        for _ in range(5):
            nlp.update(examples, sgd=False)
            for _, pipe in nlp.pipeline:
                pipe.finish_update(optimizer)
    with pytest.raises(SelectraError, match=NOT_ITS_ENCODER):
        nlp(TEXTS[0])


def test_weights_changed_where_the_vectors_do_not_tell(model: str):
    nlp = shared(model)
    with torch.no_grad():
        encoder_of(nlp).layers[0].intermediate.weight[0, 0] += 1e-3
    with pytest.raises(SelectraError, match=NOT_ITS_ENCODER):
        nlp(TEXTS[0])


def test_transformer_changed_between_saving_and_loading(model: str, other: str, tmp_path: Path):
    nlp = shared(model)
    nlp(TEXTS[0])
    nlp.to_disk(tmp_path / "first")
    shared(other).to_disk(tmp_path / "second")
    (tmp_path / "second/transformer/model").replace(tmp_path / "first/transformer/model")
    with pytest.raises(SelectraError, match=NOT_ITS_ENCODER):
        spacy.load(tmp_path / "first")(TEXTS[0])


def test_sourced_into_a_pipeline_with_another_transformer(model: str, other: str):
    source = shared(model)
    expected = values(source(TEXTS[0]))
    for encoder in (other, model):
        nlp = with_transformer(encoder)
        nlp.initialize()
        nlp.add_pipe(FACTORY, source=source)
        if encoder == model:
            assert values(nlp(TEXTS[0])) == pytest.approx(expected, abs=1e-6)
        else:
            with pytest.raises(SelectraError, match=NOT_ITS_ENCODER):
                nlp(TEXTS[0])


def test_stores_the_head_and_no_encoder(model: str, tmp_path: Path):
    nlp = shared(model)
    expected = [values(doc) for doc in nlp.pipe(TEXTS)]
    nlp.to_disk(tmp_path / "pipeline")
    stored = sorted(path.name for path in (tmp_path / "pipeline" / FACTORY).iterdir())
    assert stored == ["config.json", "model.safetensors"]
    # a square of the hidden size, a row and some biases
    assert (tmp_path / "pipeline" / FACTORY / "model.safetensors").stat().st_size < 4 * 32 * 60
    loaded = spacy.load(tmp_path / "pipeline")
    loaded.to_disk(tmp_path / "again")
    again = spacy.load(tmp_path / "again")
    blank = with_transformer(model)
    blank.add_pipe(FACTORY, config={"upstream": "transformer"})
    for copy in (loaded, again, blank.from_bytes(nlp.to_bytes())):
        assert [values(doc) for doc in copy.pipe(TEXTS)] == expected
    for name in stored:
        first = (tmp_path / "pipeline" / FACTORY / name).read_bytes()
        assert (tmp_path / "again" / FACTORY / name).read_bytes() == first


def test_switching_a_saved_pipeline(model: str, tmp_path: Path):
    nlp = with_transformer(model)
    nlp.add_pipe(FACTORY, config={"model": model})
    nlp.initialize()
    nlp.to_disk(tmp_path / "own")
    upstream = {"components": {FACTORY: {"upstream": "transformer"}}}
    switched = spacy.load(tmp_path / "own", config=upstream)
    assert values(switched(TEXTS[0])) == pytest.approx(values(nlp(TEXTS[0])), abs=1e-5)
    switched.to_disk(tmp_path / "shared")
    with pytest.raises(SelectraError, match="only the discriminator's head: set its 'upstream'"):
        spacy.load(tmp_path / "shared", config={"components": {FACTORY: {"upstream": None}}})


def test_unusable_models(model: str, tmp_path: Path):
    nlp = with_transformer(model)
    nlp.add_pipe(FACTORY, config={"upstream": "transformer"})
    nlp.initialize()
    with pytest.raises(SelectraError, match="has no model"):
        nlp(TEXTS[0])
    classifier = str(save_classifier(tmp_path / "model"))
    with pytest.raises(SelectraError, match="not an ElectraForPreTraining checkpoint"):
        shared(classifier)(TEXTS[0])


def test_vectors_tell_their_encoder():
    from spacy_selectra.encoder.config import EncoderConfig
    from spacy_selectra.encoder.rtd_head import DetectionHead

    config = EncoderConfig(10, 8, 8, 1, 1, 8)
    torch.manual_seed(0)
    head = DetectionHead(config, "")
    with torch.no_grad():
        head.norm.weight.uniform_(0.1, 2.0)
        head.norm.bias.normal_()
    hidden = head.norm(torch.randn(1000, 8) * 3)
    assert head.fits(hidden)
    assert head.fits(hidden[:0])
    assert not head.fits(torch.randn(4, 8))
    assert not head.fits(torch.randn(4, 6))
    with torch.no_grad():
        head.norm.bias[3] += 1e-3
    assert not head.fits(hidden)
