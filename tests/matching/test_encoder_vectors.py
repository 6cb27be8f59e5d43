"""An encoder's vectors of words are those of transformers, and what it knows reaches the result."""

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from spacy_selectra.errors import SelectraError
from spacy_selectra.matching.encoder_vectors import (
    EncoderVectorSettings,
    add_encoder_vectors,
    encoder_vectors,
)
from spacy_selectra.matching.storage import load_vectors, save_vectors
from spacy_selectra.matching.word_vectors import TrainedVectors
from tests.finetuning.tiny import save_discriminator, save_tiny_tokenizer

WORDS = ("niño", "casa", "deportes", "inconstitucional", "sol")


@pytest.fixture(scope="module")
def electra(tmp_path_factory):
    directory = tmp_path_factory.mktemp("electra")
    save_discriminator(directory)
    return directory


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    from transformers import BertConfig, BertModel

    directory = tmp_path_factory.mktemp("bert")
    save_tiny_tokenizer(directory)
    size = len((directory / "vocab.txt").read_text(encoding="utf-8").splitlines())
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(0)
    config = BertConfig(vocab_size=size, intermediate_size=64, initializer_range=0.2, **shape)
    BertModel(config, add_pooling_layer=False).save_pretrained(directory)
    return directory


@pytest.fixture
def counted():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(len(WORDS), 6)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return TrainedVectors(WORDS, np.array([0.4, 0.3, 0.2, 0.06, 0.04]), rows, {"files": ["a"]})


@pytest.mark.parametrize("family", ["electra", "bert"])
def test_same_means_as_transformers(family, request):
    from transformers import AutoModel, AutoTokenizer

    directory = request.getfixturevalue(family)
    model = AutoModel.from_pretrained(directory).eval()
    tokenizer = AutoTokenizer.from_pretrained(directory)
    found = encoder_vectors(WORDS, directory, "tema: ", quiet=True)
    for word, row in zip(WORDS, found, strict=True):
        with torch.no_grad():
            hidden = model(**tokenizer(f"tema: {word}", return_tensors="pt")).last_hidden_state
        expected = hidden[0].mean(0)
        np.testing.assert_allclose(row, expected / expected.norm(), atol=1e-4)


def test_similarity_is_a_mixture(counted, electra):
    own = encoder_vectors(WORDS, electra, quiet=True)
    share = np.sqrt(counted.share) / np.sqrt(counted.share).sum()
    own -= (share @ own).astype(np.float32)
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    width = own.shape[1] + 6
    settings = EncoderVectorSettings(weight=2.0, dimensions=min(width, len(WORDS)))
    found = add_encoder_vectors(counted, electra, settings, quiet=True)
    # five words lie in five dimensions, so that nothing is lost
    expected = (counted.vectors @ counted.vectors.T + 4 * own @ own.T) / 5
    np.testing.assert_allclose(found.vectors @ found.vectors.T, expected, atol=1e-4)
    assert found.words == WORDS
    assert found.origin == {"files": ["a"], "encoder": electra.name, "encoder_weight": 2.0}
    np.testing.assert_array_equal(found.share, counted.share)


def test_fewer_dimensions_keep_the_frequent_words(counted, electra):
    whole = add_encoder_vectors(
        counted, electra, EncoderVectorSettings(dimensions=5), quiet=True
    ).vectors
    less = add_encoder_vectors(
        counted, electra, EncoderVectorSettings(dimensions=3), quiet=True
    ).vectors
    assert less.shape == (5, 3)
    lost = np.abs(less @ less.T - whole @ whole.T)
    assert lost[0, 1] < lost[3:, 3:].max() + 0.05
    np.testing.assert_allclose(np.linalg.norm(less, axis=1), 1, atol=1e-5)


def test_too_many_dimensions(counted, electra):
    with pytest.raises(SelectraError, match="400 dimensions asked for, but there are 5"):
        add_encoder_vectors(counted, electra, quiet=True)


def test_no_such_encoder(counted):
    with pytest.raises(SelectraError, match="no such model directory"):
        add_encoder_vectors(counted, "./nowhere", quiet=True)


def test_the_command(counted, electra, tmp_path):
    save_vectors(counted, tmp_path / "counted")

    def enrich(*arguments):
        own = (tmp_path / "counted", *arguments, "--encoder", electra, "--dimensions", 4)
        return CliRunner().invoke(app, ["labels", "enrich", *map(str, own)])

    found = enrich(tmp_path / "out", "--weight", 0.5, "--prefix", "tema: ")
    assert found.exit_code == 0, found.output
    expected = add_encoder_vectors(
        counted, electra, EncoderVectorSettings("tema: ", 0.5, 4), quiet=True
    )
    np.testing.assert_array_equal(load_vectors(tmp_path / "out").vectors, expected.vectors)
    assert "exists" in enrich(tmp_path / "out").output
    assert "expected one folder" in enrich(tmp_path / "more", tmp_path / "new").output
