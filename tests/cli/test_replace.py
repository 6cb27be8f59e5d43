"""`--replace`: a changed input starts a run anew instead of stopping a project."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from tests.finetuning.tiny import nli_rows, save_discriminator, write_jsonl
from tests.pretraining.conftest import Data, data, leave_torch_as_it_was

__all__ = ["data", "leave_torch_as_it_was"]  # fixtures


def run(*arguments: object):
    return CliRunner().invoke(app, [*map(str, arguments), "--quiet"])


def test_pretrain(data: Data, tmp_path: Path):
    command = ["pretrain", data.config, tmp_path / "run", "--training.max_steps", 2]
    assert run(*command).exit_code == 0
    other_seed = [*command, "--training.seed", 1]
    refused = run(*other_seed)
    assert refused.exit_code == 1
    assert "cannot resume with another configuration" in refused.stderr
    assert run(*other_seed, "--replace").exit_code == 0
    # the same again is a run that is finished, not one to replace
    before = (tmp_path / "run" / "run.json").read_text("utf-8")
    assert run(*other_seed, "--replace").exit_code == 0
    assert (tmp_path / "run" / "run.json").read_text("utf-8") == before


@pytest.mark.parametrize("changed", ["data", "settings"])
def test_finetune(tmp_path: Path, changed: str):
    save_discriminator(tmp_path / "discriminator")
    files = {
        split: write_jsonl(tmp_path / f"{split}.jsonl", nli_rows(30, seed))
        for seed, split in enumerate(["train", "dev", "test"])
    }
    config = Path(__file__).parents[2] / "configs" / "finetune_nli.cfg"
    command = ["finetune", config, tmp_path / "out", "--trials", 1, "--data.name", "sample"]
    command += ["--encoder.path", tmp_path / "discriminator", "--training.epochs", 1]
    for split, path in files.items():
        command += [f"--data.{split}", path]
    assert run(*command).exit_code == 0
    if changed == "data":
        write_jsonl(files["train"], nli_rows(30, 7))
    else:
        command += ["--training.seed", 3]
    refused = run(*command)
    assert refused.exit_code == 1
    assert "a trial with other settings, data or encoder" in refused.stderr
    assert run(*command, "--replace").exit_code == 0
