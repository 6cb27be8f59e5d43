"""Pieces, their offsets, and how documents are cut into windows."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import spacy
from transformers import AutoTokenizer

from spacy_selectra.components.transformer.windows import document_windows
from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.errors import SelectraError
from spacy_selectra.text.encode import PieceTokenizer, load_pieces
from spacy_selectra.text.tokenizer import load_backend, usable_positions
from tests.components.conftest import SENTENCES


@pytest.fixture
def pieces(encoder_directory) -> PieceTokenizer:
    return PieceTokenizer(load_backend(encoder_directory), max_length=40)


def test_ids_are_those_of_transformers(pieces, encoder_directory):
    tokenizer = AutoTokenizer.from_pretrained(encoder_directory)
    for text, found in zip(SENTENCES, pieces.encode(SENTENCES), strict=True):
        assert [*pieces.prefix, *found.ids, *pieces.suffix] == tokenizer(text)["input_ids"]


def test_padding_left_on_by_transformers_does_not_matter(encoder_directory):
    tokenizer = AutoTokenizer.from_pretrained(encoder_directory)
    tokenizer(["uno", "dos tres cuatro"], padding="max_length", truncation=True, max_length=5)
    pieces = PieceTokenizer(tokenizer.backend_tokenizer, 40)
    assert pieces.names(pieces.prefix + pieces.suffix) == ["[CLS]", "[SEP]"]
    assert len(pieces.encode([" ".join(SENTENCES)])[0].ids) > 40


def test_round_trip(pieces):
    again = PieceTokenizer.from_dict(pieces.to_dict())
    assert again.to_dict() == pieces.to_dict()
    assert (
        again.encode(["Sí, niño."])[0].ids.tolist() == pieces.encode(["Sí, niño."])[0].ids.tolist()
    )


def test_limit_is_the_lower_of_tokenizer_and_positions(encoder_directory):
    config = EncoderConfig(10, 8, 8, 1, 1, 8, max_position_embeddings=20)
    assert load_pieces(encoder_directory, {}, config).max_length == 20
    options = {"model_max_length": 7, "use_fast": True}
    assert load_pieces(encoder_directory, options, config).max_length == 7


@pytest.mark.parametrize(
    ("config", "usable"),
    [
        ({"model_type": "electra", "max_position_embeddings": 512, "pad_token_id": 0}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "camembert", "max_position_embeddings": 514}, 512),
        ({"model_type": "xlm-roberta", "max_position_embeddings": 514, "pad_token_id": 0}, 513),
        ({"model_type": "xlnet"}, 1_000_000),
    ],
)
def test_positions_that_text_can_use(config, usable):
    assert usable_positions(SimpleNamespace(**config)) == usable


def test_no_tokenizer(tmp_path):
    with pytest.raises(SelectraError, match="no tokenizer"):
        load_pieces(tmp_path, {}, EncoderConfig(10, 8, 8, 1, 1, 8))


def test_very_long_text_is_tokenized_in_parts_with_the_same_result(pieces):
    text = " ".join(SENTENCES * 300)
    assert len(text) > 50_000
    doc = spacy.blank("es")(text)
    windows = document_windows([doc], pieces)
    whole = pieces.backend.encode(text, add_special_tokens=False)
    inside = windows.characters[:, 0] >= 0
    assert windows.ids[inside].tolist() == whole.ids
    assert np.array_equal(windows.characters[inside], whole.offsets)
    assert windows.lengths.max() <= 40
