from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from tests.pretraining.conftest import Data, data, leave_torch_as_it_was

__all__ = ["data", "leave_torch_as_it_was"]  # fixtures

STEPS = 30


def command(data: Data, output: Path) -> list[str]:
    arguments = ["pretrain", str(data.config), str(output), "--quiet"]
    return [*arguments, f"--training.max_steps={STEPS}", "--training.checkpoint_every", "20"]


@pytest.fixture(scope="module")
def trained(data: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("pretrain") / "run"
    result = CliRunner().invoke(app, command(data, output))
    assert result.exit_code == 0, result.output
    assert "discriminator" in result.stdout
    return output


def test_error_is_one_line_and_status_one(data, tmp_path):
    arguments = ["pretrain", str(data.config), str(tmp_path / "run"), "--training.step", "3"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert "unknown key 'training.step'" in result.stderr
    assert not (tmp_path / "run").exists()


def test_resume_never(data, trained):
    result = CliRunner().invoke(app, [*command(data, trained), "--resume", "never"])
    assert result.exit_code == 1
    assert "not empty" in result.stderr


def test_evaluate_discriminator(data, trained, tmp_path):
    arguments = ["evaluate", "discriminator", str(trained), str(data.corpus)]
    table = CliRunner().invoke(app, arguments)
    assert table.exit_code == 0, table.output
    assert "auc" in table.stdout
    result = CliRunner().invoke(app, [*arguments, "--json", "--output", str(tmp_path / "r.json")])
    values = json.loads(result.stdout)
    assert values == json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert {"accuracy", "precision", "recall", "f1", "auc", "base_rate"} <= values.keys()
    assert {"calibration_error", "mlm_accuracy"} <= values.keys()
    again = CliRunner().invoke(app, [*arguments, "--json"])
    assert json.loads(again.stdout) == values
    given = [str(trained / "discriminator"), str(data.corpus)]
    generator = ["--generator", str(trained / "generator"), "--json"]
    explicit = CliRunner().invoke(app, ["evaluate", "discriminator", *given, *generator])
    assert json.loads(explicit.stdout) == values


def test_evaluate_without_a_generator_says_what_is_missing(data, trained, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "discriminator").symlink_to(trained / "discriminator")
    arguments = ["evaluate", "discriminator", str(alone / "discriminator"), str(data.corpus)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "--generator" in result.stderr


def test_evaluate_on_a_corpus_of_another_vocabulary(data, trained, tmp_path):
    from spacy_selectra.corpus.packed.builder import PackSettings, pack_corpus
    from spacy_selectra.text.tokenizer import SPECIAL_TOKENS, make_tokenizer, save_tokenizer

    save_tokenizer(make_tokenizer([*SPECIAL_TOKENS, "el", "perro"]), tmp_path / "other")
    (tmp_path / "text.txt").write_text("el perro el perro el perro\n" * 5, encoding="utf-8")
    settings = PackSettings(length=16, heldout=0.0)
    text, again = tmp_path / "text.txt", tmp_path / "again.txt"
    shutil.copy(text, again)
    pack_corpus(text, tmp_path / "packed", tmp_path / "other", settings, heldout_paths=[again])
    arguments = ["evaluate", "discriminator", str(trained), str(tmp_path / "packed")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "vocabulary does not match" in result.stderr


def test_evaluate_a_run_that_is_not_finished(data, tmp_path):
    (tmp_path / "run.json").write_text("{}", encoding="utf-8")
    arguments = ["evaluate", "discriminator", str(tmp_path), str(data.corpus)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "is not finished" in result.stderr
