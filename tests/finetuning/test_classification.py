from __future__ import annotations

from pathlib import Path

import pytest

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.tasks.classification import build_features, longest_first
from spacy_selectra.text.tokenizer import load_backend, load_tokenizer
from tests.finetuning.tiny import save_tiny_tokenizer

TEXTS = ["El niño sueña en Cádiz.", "¿Duerme?", "", "El burro come en Ávila, en León, en Mérida."]
PAIRS = ["El niño sueña.", "El gato no duerme en Logroño", "canta", "El burro no come en Ávila."]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tokenizer")
    save_tiny_tokenizer(directory)
    return directory


@pytest.mark.parametrize("max_length", [8, 9, 13, 20, 64])
def test_pairs_as_transformers_encodes_and_truncates_them(tokenizer: Path, max_length: int):
    features = build_features(load_backend(tokenizer), TEXTS, PAIRS, max_length)
    theirs = load_tokenizer(tokenizer)(
        TEXTS, PAIRS, truncation="longest_first", max_length=max_length
    )
    assert [piece.ids.tolist() for piece in features.sequences] == theirs["input_ids"]
    assert [piece.types.tolist() for piece in features.sequences] == theirs["token_type_ids"]


def test_single_texts_as_transformers_encodes_them(tokenizer: Path):
    features = build_features(load_backend(tokenizer), TEXTS, None, 9)
    theirs = load_tokenizer(tokenizer)(TEXTS, truncation=True, max_length=9)
    assert [piece.ids.tolist() for piece in features.sequences] == theirs["input_ids"]
    assert features.truncated == sum(
        len(ids) > 9 for ids in load_tokenizer(tokenizer)(TEXTS)["input_ids"]
    )


@pytest.mark.parametrize(
    ("text", "pair", "room", "kept"),
    [
        (3, 4, 7, (3, 4)),
        (10, 2, 8, (6, 2)),
        (2, 10, 8, (2, 6)),
        (9, 9, 7, (3, 4)),
        (9, 5, 7, (4, 3)),
    ],
)
def test_the_longer_text_is_cut_first(text: int, pair: int, room: int, kept: tuple[int, int]):
    assert longest_first(text, pair, room) == kept


def test_no_room_for_text(tokenizer: Path):
    with pytest.raises(SelectraError, match="max_length 3 leaves no room"):
        build_features(load_backend(tokenizer), TEXTS, PAIRS, 3)
