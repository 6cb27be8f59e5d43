from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.config import read_settings
from spacy_selectra.pretraining.pretrain import build_model
from spacy_selectra.text.tokenizer import Vocabulary

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("pretrain_*.cfg"))


def test_unknown_key_names_the_nearest_one(data):
    with pytest.raises(SelectraError, match=r"'training\.max_stepps', did you mean 'max_steps'"):
        read_settings(data.config, {"training.max_stepps": 5})


def test_wrong_type_is_an_error(data):
    with pytest.raises(SelectraError, match=r"training\.batch_size"):
        read_settings(data.config, {"training.batch_size": "many"})


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"training.gradient_accumulation_steps": 3}, "does not divide"),
        ({"schedule.restart_step": 12}, "not before"),
        ({"schedule.restart_step": 5, "training.max_seconds": 60}, "cannot be combined"),
    ],
)
def test_contradictions_are_errors(data, overrides, message):
    with pytest.raises(SelectraError, match=message):
        read_settings(data.config, overrides)


def test_there_are_configurations_to_check():
    assert len(CONFIGS) >= 5


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configuration_resolves_and_builds(path):
    settings = read_settings(path)
    pieces = tuple(str(number) for number in range(50_000))
    vocabulary = Vocabulary(Path(), "", pieces, special_ids=(), mask_id=4, pad_id=0)
    with torch.device("meta"):
        model = build_model(settings, vocabulary)
    assert model.discriminator.config.vocab_size == 50_000
    kept = sum(parameter.numel() for parameter in model.discriminator.parameters())
    expected = {"pretrain_small": 22_475_265, "pretrain_medium": 40_839_937}
    assert kept == expected.get(path.stem, kept)
