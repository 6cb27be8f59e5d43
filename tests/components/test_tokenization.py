"""Pieces, their offsets, and how documents are cut into windows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import spacy
from transformers import AutoTokenizer

from spacy_selectra.components.transformer.windows import document_windows
from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.errors import SelectraError
from spacy_selectra.text.encode import PieceTokenizer, load_pieces
from spacy_selectra.text.tokenizer import load_backend
from spacy_selectra.text.windows import cut_evenly
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


def test_no_tokenizer(tmp_path):
    with pytest.raises(SelectraError, match="no tokenizer"):
        load_pieces(tmp_path, {}, EncoderConfig(10, 8, 8, 1, 1, 8))


def test_very_long_text_is_tokenized_in_parts_with_the_same_result(pieces):
    text = " ".join(SENTENCES * 300)
    assert len(text) > 50_000
    doc = spacy.blank("es")(text)
    windows = document_windows([doc], pieces)
    whole = pieces.encode([text])[0]
    inside = windows.characters[:, 0] >= 0
    assert np.array_equal(windows.ids[inside], whole.ids)
    assert np.array_equal(windows.characters[inside], whole.offsets)
    assert windows.lengths.max() <= 40


def words(sizes: list[int], text_of: str = "a") -> tuple[np.ndarray, str]:
    """One piece a character, words separated by spaces."""
    text = " ".join(text_of * size for size in sizes)
    return np.array([(i, i + 1) for i, char in enumerate(text) if char != " "]), text


def test_parts_are_even_and_end_at_spaces():
    offsets, text = words([3] * 30)
    parts = cut_evenly(offsets, text, 50)
    assert parts == [(0, 45), (45, 90)]
    assert all(begin % 3 == 0 for begin, _ in parts)


def test_parts_prefer_the_end_of_a_sentence():
    text = "aaa aaa aaa aaa. aaa aaa aaa aaa"
    offsets = np.array([(i, i + 1) for i, char in enumerate(text) if char != " "])
    # the even cut is at 13, where a sentence ends; a little beside it is only a space
    assert cut_evenly(offsets, text, 14)[0] == (0, 13)
    shifted = "aaa. aaa aaa aaa. aaa aaa aaa aaaaa"
    offsets = np.array([(i, i + 1) for i, char in enumerate(shifted) if char != " "])
    assert shifted[offsets[cut_evenly(offsets, shifted, 16)[0][1] - 1, 0]] == "."


def test_a_word_longer_than_a_window_is_cut_inside():
    offsets, text = words([100])
    parts = cut_evenly(offsets, text, 30)
    assert parts[0][0] == 0
    assert parts[-1][1] == 100
    assert all(left[1] == right[0] for left, right in pairwise(parts))
    assert max(end - begin for begin, end in parts) <= 30


def test_windows_never_exceed_the_limit():
    generator = np.random.default_rng(0)
    for _ in range(50):
        offsets, text = words(generator.integers(1, 20, size=40).tolist(), "a")
        limit = int(generator.integers(5, 60))
        parts = cut_evenly(offsets, text, limit)
        assert max(end - begin for begin, end in parts) <= limit
        assert min(end - begin for begin, end in parts) > 0
        assert sum(end - begin for begin, end in parts) == len(offsets)
