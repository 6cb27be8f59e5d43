"""`--replace`: a changed input starts a run anew instead of stopping a project."""

import shutil
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
    assert "cannot resume with a different configuration" in refused.stderr
    assert run(*other_seed, "--replace").exit_code == 0
    # the same again is a run that is finished, not one to replace
    before = (tmp_path / "run" / "run.json").read_text("utf-8")
    assert run(*other_seed, "--replace").exit_code == 0
    assert (tmp_path / "run" / "run.json").read_text("utf-8") == before


def test_pretrain_does_not_delete_what_it_starts_from(data: Data, tmp_path: Path):
    command = ["pretrain", data.config, tmp_path / "run", "--training.max_steps", 1]
    assert run(*command).exit_code == 0
    own = tmp_path / "run" / "tokenizer"
    shutil.copytree(data.tokenizer, own)
    refused = run(*command, "--paths.tokenizer", own, "--training.seed", 1, "--replace")
    assert refused.exit_code == 1
    assert f"{own}: is in {tmp_path / 'run'}, which would be deleted first" in refused.stderr
    assert (tmp_path / "run" / "discriminator" / "config.json").is_file()


@pytest.fixture
def finetuning(tmp_path: Path) -> list[object]:
    """A command, run once."""
    save_discriminator(tmp_path / "discriminator")
    config = Path(__file__).parents[2] / "configs" / "finetune_nli.cfg"
    command = ["finetune", config, tmp_path / "out", "--trials", 1, "--data.name", "sample"]
    command += ["--training.epochs", 1]
    for seed, split in enumerate(["train", "dev", "test"]):
        path = write_jsonl(tmp_path / f"{split}.jsonl", nli_rows(30, seed))
        command += [f"--data.{split}", path]
    assert run(*command, "--encoder.path", tmp_path / "discriminator").exit_code == 0
    return command


@pytest.mark.parametrize("changed", ["data", "settings"])
def test_finetune(finetuning: list[object], tmp_path: Path, changed: str):
    (tmp_path / "out" / "notes.txt").write_text("mine", "utf-8")
    command = [*finetuning, "--encoder.path", tmp_path / "discriminator"]
    if changed == "data":
        write_jsonl(tmp_path / "train.jsonl", nli_rows(30, 7))
    else:
        command += ["--training.seed", 3]
    refused = run(*command)
    assert refused.exit_code == 1
    assert "a trial with other settings, data or encoder" in refused.stderr
    before = (tmp_path / "out" / "metrics.json").read_text("utf-8")
    assert run(*command, "--replace").exit_code == 0
    assert (tmp_path / "out" / "metrics.json").read_text("utf-8") != before
    assert (tmp_path / "out" / "notes.txt").read_text("utf-8") == "mine"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("--encoder.path", "out/best"), "is a result in"),
        (("--encoder.path", "missing"), "no such model directory"),
        (("--encoder.path", "discriminator", "--teacher", "out/best"), "is a result in"),
        (("--encoder.path", "discriminator", "--training.frozen_layers", 9), "frozen_layers is 9"),
    ],
)
def test_finetune_that_cannot_start_keeps_what_is_there(
    finetuning: list[object], tmp_path: Path, wrong: tuple[object, ...], message: str
):
    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    out = tmp_path / "out"
    before = files()
    names = {"out/best", "missing", "discriminator"}
    options = [tmp_path / str(value) if value in names else value for value in wrong]
    refused = run(*finetuning, *options, "--training.seed", 3, "--replace")
    assert refused.exit_code == 1
    assert message in refused.stderr
    assert files() == before
