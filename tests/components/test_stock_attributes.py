"""What people reach for in a transformer's model: its tokenizer, network and attributes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from spacy_transformers.data_classes import HFObjects
from transformers import (
    AutoModel,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerBase,
)
from transformers.models.electra import ElectraModel, ElectraTokenizer

from spacy_selectra.components.transformer.architecture import SelectraModel, selectra_model
from spacy_selectra.encoder.electra import SelectraEncoder
from spacy_selectra.encoder.hub import load_encoder
from spacy_selectra.errors import SelectraError
from tests.components.conftest import SENTENCES, strided
from tests.components.test_stock_behaviour import transformer
from tests.components.test_transformer import STOCK, token_vectors


def set_in(model: Any, network: Any, tokenizer: Any) -> None:
    model.attrs["set_transformer"](model, HFObjects(tokenizer, network, None))


@pytest.fixture
def saved(make_nlp, tmp_path: Path) -> SelectraModel:
    """The model of a pipeline that was saved and loaded."""
    make_nlp().to_disk(tmp_path)
    return transformer(spacy.load(tmp_path)).model


def test_tokenizer_is_transformers(saved: SelectraModel, encoder_directory: Path):
    theirs: Any = AutoTokenizer.from_pretrained(encoder_directory)
    ours: Any = saved.tokenizer
    assert isinstance(saved.tokenizer, PreTrainedTokenizerBase)
    assert ours.is_fast
    assert ours is saved.tokenizer
    assert dict(ours(SENTENCES)) == dict(theirs(SENTENCES))
    assert dict(ours(SENTENCES, truncation=True, max_length=9, padding=True)) == dict(
        theirs(SENTENCES, truncation=True, max_length=9, padding=True)
    )
    ids = ours(SENTENCES[0])["input_ids"]
    assert ours.convert_ids_to_tokens(ids) == theirs.convert_ids_to_tokens(ids)
    assert ours.decode(ids) == theirs.decode(ids)
    assert ours.special_tokens_map == theirs.special_tokens_map
    assert ours.model_max_length == theirs.model_max_length
    assert ours.get_vocab() == theirs.get_vocab()


def test_changing_the_tokenizer_does_not_reach_documents(make_nlp):
    nlp = make_nlp()
    before = token_vectors(nlp(SENTENCES[0]))
    tokenizer = transformer(nlp).model.tokenizer
    tokenizer(SENTENCES, padding="max_length", truncation=True, max_length=5)
    tokenizer.add_tokens(["niño"])
    assert np.array_equal(token_vectors(nlp(SENTENCES[0])), before)


def test_limit_and_outputs_may_be_changed_and_are_saved(make_nlp, tmp_path: Path):
    nlp = make_nlp(transformer_config={"output_attentions": False})
    model = transformer(nlp).model
    other: Any = model.copy()
    text = " ".join(SENTENCES)
    assert max(nlp(text)._.trf_data.wordpieces.lengths) > 17
    model.tokenizer.model_max_length = 17
    model.transformer.config.output_attentions = True
    nlp.to_disk(tmp_path)
    for pipeline in (nlp, spacy.load(tmp_path)):
        data = pipeline(text)._.trf_data
        assert max(data.wordpieces.lengths) <= 17
        assert len(data.model_output.attentions) == 2
        assert transformer(pipeline).model.tokenizer.model_max_length == 17
    [data] = other.predict([nlp.make_doc(text)]).doc_data
    assert max(data.wordpieces.lengths) > 17
    assert "attentions" not in data.model_output
    with pytest.raises(AttributeError, match="hidden_size"):
        model.transformer.config.hidden_size = 3


def test_tokenizer_of_roberta_has_its_own_special_pieces(make_nlp):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    from spacy_selectra.text.encode import PieceTokenizer, transformers_tokenizer

    names = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "a", "b"]
    backend: Any = Tokenizer(models.WordLevel({n: i for i, n in enumerate(names)}, "<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    tokenizer = transformers_tokenizer(PieceTokenizer(backend, 10, pad_id=1))
    roles = ("cls_token", "pad_token", "sep_token", "unk_token", "mask_token")
    assert [getattr(tokenizer, role) for role in roles] == names[:5]
    assert tokenizer("a c")["input_ids"] == [0, 5, 3, 2]


def test_transformer_is_the_network_that_computes(make_nlp):
    nlp = make_nlp()
    model = transformer(nlp).model
    assert isinstance(model.transformer, SelectraEncoder)
    assert model.transformer.config.hidden_size == 32
    before = token_vectors(nlp(SENTENCES[0]))
    with torch.no_grad():
        model.transformer.layers[1].output.weight.mul_(3)
    assert not np.allclose(token_vectors(nlp(SENTENCES[0])), before, atol=0.01)


def test_nothing_before_initialisation(encoder_directory: Path):
    model = selectra_model(str(encoder_directory), tokenizer_config={"use_fast": True})
    assert model.tokenizer is None
    assert model.transformer is None
    assert not model.attrs["has_transformer"]
    assert model.attrs["name"] == str(encoder_directory)
    assert model._init_tokenizer_config == {"use_fast": True}
    assert model._init_transformer_config == {}
    model.initialize()
    assert model.attrs["has_transformer"]
    assert model.transformer is not None


@pytest.mark.parametrize("architecture", ["spacy-selectra.SelectraModel.v1", STOCK])
def test_what_a_stored_network_was_made_with_is_not_asked_again(make_nlp, architecture: str):
    chosen: dict[str, dict[str, bool]] = {
        "tokenizer_config": {"use_fast": True},
        "transformer_config": {"output_attentions": False},
    }
    nlp = make_nlp(architecture, get_spans=strided(), **chosen)
    made = transformer(nlp).model
    assert made._init_tokenizer_config == chosen["tokenizer_config"]
    loaded = spacy.blank("es").from_config(nlp.config).from_bytes(nlp.to_bytes())
    for model in (transformer(loaded).model, transformer(loaded).model.copy()):
        assert (model._init_tokenizer_config, model._init_transformer_config) == ({}, {})
        with pytest.raises(NotImplementedError):
            model._init_tokenizer_config["use_fast"] = False


def test_every_public_attribute_of_stock_is_there(make_nlp):
    pipelines = make_nlp(STOCK, get_spans=strided()), make_nlp(get_spans=strided())
    stock, ours = (transformer(nlp).model for nlp in pipelines)
    assert set(stock.attrs) <= set(ours.attrs)
    public = {name for name in dir(stock) if not name.startswith("_")}
    assert public <= set(dir(ours))
    for name in ("name", "has_transformer", "flush_cache_chance"):
        assert ours.attrs[name] == stock.attrs[name]


def test_name_may_be_set_before_initialisation(encoder_directory: Path):
    model = selectra_model("/nowhere")
    model.attrs["name"] = str(encoder_directory)
    model.initialize()
    assert model.get_dim("nO") == 32


@pytest.mark.parametrize("kind", ["transformers", "ours"])
def test_set_transformer(make_nlp, encoder_directory: Path, kind: str):
    load: Any = AutoModel.from_pretrained if kind == "transformers" else load_encoder
    nlp = spacy.blank("es")
    settings = {"@architectures": "spacy-selectra.SelectraModel.v1", "get_spans": None}
    model = transformer_of(nlp, settings)
    set_in(model, load(encoder_directory), AutoTokenizer.from_pretrained(encoder_directory))
    expected = make_nlp()(SENTENCES[0])
    assert np.allclose(token_vectors(nlp(SENTENCES[0])), token_vectors(expected), atol=1e-6)
    nlp.initialize()  # reads nothing: there is no name
    assert np.allclose(token_vectors(nlp(SENTENCES[0])), token_vectors(expected), atol=1e-6)
    with pytest.raises(SelectraError, match="already has weights"):
        set_in(model, model.transformer, model.tokenizer)


def test_a_network_that_was_set_is_not_changed_by_training(encoder_directory: Path):
    network: Any = AutoModel.from_pretrained(encoder_directory)
    assert isinstance(network, ElectraModel)
    before = network.embeddings.word_embeddings.weight.detach().clone()
    model = selectra_model()
    set_in(model, network, AutoTokenizer.from_pretrained(encoder_directory))
    with torch.no_grad():
        for weight in model.transformer.parameters():
            weight.zero_()
    assert torch.equal(before, network.embeddings.word_embeddings.weight)


def test_set_transformer_takes_the_encoder_of_a_classifier(encoder_directory: Path):
    tokenizer: Any = AutoTokenizer.from_pretrained(encoder_directory)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = BertConfig(vocab_size=len(tokenizer), intermediate_size=32, **sizes)
    network = BertForSequenceClassification(config)
    model = selectra_model()
    set_in(model, network, tokenizer)
    assert model.transformer is network.bert
    assert model.get_dim("nO") == 16
    [data] = model.predict([spacy.blank("es")("Sí.")]).doc_data
    assert data.width == 16


def test_slow_tokenizers_cannot_be_set(encoder_directory: Path):
    slow: Any = ElectraTokenizer.from_pretrained(encoder_directory)
    if slow.is_fast:
        pytest.skip("transformers 5 has no slow tokenizer of this kind")
    network: Any = AutoModel.from_pretrained(encoder_directory)
    model = selectra_model()
    with pytest.raises(SelectraError, match="fast"):
        set_in(model, network, slow)
    assert not model.attrs["has_transformer"]


def test_copies_have_networks_of_their_own(saved: SelectraModel):
    copied: Any = saved.copy()
    assert copied.transformer is not saved.transformer
    assert copied.attrs["has_transformer"]
    assert dict(copied.tokenizer(SENTENCES)) == dict(saved.tokenizer(SENTENCES))


def transformer_of(nlp: Any, settings: dict[str, Any]) -> Any:
    return nlp.add_pipe("transformer", config={"model": settings}).model
