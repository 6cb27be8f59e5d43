"""The generated configuration files and the page of settings are up to date."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from spacy_selectra.finetuning.config import FinetuneSettings
from spacy_selectra.pretraining.config import PretrainingSettings
from spacy_selectra.util.settings import parse_settings, read_config

CONFIGS = Path(__file__).parents[1] / "configs"
sys.path.insert(0, str(CONFIGS))
GENERATE: dict[str, Any] = runpy.run_path(str(CONFIGS / "generate.py"))
sys.path.remove(str(CONFIGS))
FILES: dict[Path, str] = GENERATE["generated_files"]()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_file_is_what_is_generated(path: Path):
    assert path.read_text(encoding="utf-8") == FILES[path], "run python configs/generate.py"


def test_every_configuration_of_ours_is_generated():
    ours = {*CONFIGS.glob("pretrain_*.cfg"), *CONFIGS.glob("finetune_*.cfg")}
    assert ours == {path for path in FILES if path.suffix == ".cfg"}


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.suffix == ".cfg"], ids=lambda path: path.stem
)
def test_a_configuration_resolves_to_its_recipe(path: Path):
    schema = PretrainingSettings if path.stem.startswith("pretrain") else FinetuneSettings
    settings = parse_settings(schema, read_config(path), path.name).model_dump(mode="json")
    recipe = GENERATE["RECIPES"][path.stem]
    for section, values in schema.model_fields.items():
        for key, field in values.annotation.model_fields.items():  # pyright: ignore
            name = f"{section}.{key}"
            expected = recipe.values[name] if name in recipe.values else field.get_default()
            assert settings[section][key] == expected, name


@pytest.mark.parametrize("schema", [PretrainingSettings, FinetuneSettings])
def test_every_setting_is_described(schema):
    for name, section in schema.model_fields.items():
        for key, field in section.annotation.model_fields.items():
            assert field.description, f"{name}.{key}"


def test_a_recipe_with_an_unknown_setting_is_an_error():
    recipe = type(GENERATE["RECIPES"]["pretrain_tiny"])
    with pytest.raises(ValueError, match=r"training\.max_stepps"):
        GENERATE["config_file"](
            PretrainingSettings,
            recipe("", {"paths.corpus": "a", "paths.tokenizer": "b", "training.max_stepps": 1}),
        )
