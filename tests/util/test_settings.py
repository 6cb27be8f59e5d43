"""Configuration files: variables, overrides, and no key that is silently ignored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.config import TrainingSettings
from spacy_selectra.pretraining.config import ObjectiveSettings
from spacy_selectra.pretraining.network_settings import EncoderSettings
from spacy_selectra.util.settings import Settings, parse_settings, read_config


class Training(Settings):
    max_steps: int
    learning_rate: float = 1e-4


class Recipe(Settings):
    training: Training


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.cfg"
    path.write_text(
        "[paths]\nout = 'here'\n[training]\nmax_steps = 10\nlearning_rate = 0.001\n"
        "[copy]\nout = ${paths.out}\n"
    )
    return path


def test_variables_and_overrides(config_file: Path):
    values = read_config(config_file, {"training.max_steps": 3, "paths.out": "there"})
    assert values["copy"]["out"] == "there"
    assert parse_settings(Training, values["training"], "x").max_steps == 3


def test_every_problem_is_named_at_once():
    with pytest.raises(SelectraError) as caught:
        parse_settings(Recipe, {"training": {"max_step": 3, "learning_rate": "fast"}}, "my.cfg")
    message = str(caught.value)
    assert message.startswith("my.cfg: ")
    assert "unknown key 'training.max_step', did you mean 'max_steps'?" in message
    assert "missing key 'training.max_steps'" in message
    assert "'training.learning_rate'" in message
    assert "'fast'" in message


def test_unknown_section_lists_the_known_ones():
    with pytest.raises(SelectraError, match=r"unknown key 'zzz' \(known here: training\)"):
        parse_settings(Recipe, {"training": {"max_steps": 1}, "zzz": {}}, "my.cfg")


def test_missing_and_malformed_files(tmp_path: Path, config_file: Path):
    with pytest.raises(SelectraError, match="no such configuration file"):
        read_config(tmp_path / "none.cfg")
    config_file.write_text("not a section")
    with pytest.raises(SelectraError, match=r"recipe\.cfg"):
        read_config(config_file)


def test_override_of_a_section_that_is_not_there(config_file: Path):
    with pytest.raises(SelectraError, match="trainign"):
        read_config(config_file, {"trainign.max_steps": 3})


class Renamed(Settings):
    renamed: ClassVar[Mapping[str, str]] = {"share": "prob", "warm": "start"}
    translated: ClassVar[Mapping[str, Mapping[Any, Any]]] = {"start": {True: "counts"}}

    prob: float = 0.5
    start: str = "random"


def test_old_names_are_read_with_a_warning_that_gives_the_new_one() -> None:
    with pytest.warns(FutureWarning, match="'share' is called 'prob' now"):
        found = parse_settings(Renamed, {"share": 0.25, "warm": True}, "old.cfg")
    assert found == Renamed(prob=0.25, start="counts")
    with pytest.raises(SelectraError, match="'share' is the old name of 'prob'"):
        parse_settings(Renamed, {"share": 0.25, "prob": 0.5}, "old.cfg")


def test_shipped_sections_know_their_old_names() -> None:
    old = {"mask_share": 0.3, "mask_token_share": 0.9, "correction_weight": 2.0}
    with pytest.warns(FutureWarning):
        found = ObjectiveSettings.model_validate(old)
    assert (found.mask_prob, found.mask_token_prob, found.corrective_lm_weight) == (0.3, 0.9, 2.0)
    with pytest.warns(FutureWarning):
        encoder = EncoderSettings.model_validate({"warm_start": True})
    assert encoder.init_embeddings == "cooccurrence"
    old = {"accumulation": 2, "gradient_clip": 0.5, "warmup": 0.2}
    with pytest.warns(FutureWarning):
        training = TrainingSettings.model_validate(old)
    assert training.model_dump(include={*TrainingSettings.renamed.values()}) == {
        "gradient_accumulation_steps": 2,
        "max_grad_norm": 0.5,
        "warmup_ratio": 0.2,
    }
