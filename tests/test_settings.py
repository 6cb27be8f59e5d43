"""Configuration files: variables, overrides, and no key that is silently ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from spacy_selectra.errors import SelectraError
from spacy_selectra.util.config import Settings, parse_settings, read_config


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
