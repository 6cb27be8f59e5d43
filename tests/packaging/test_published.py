"""A published discriminator in the place of a pretrained one, its tokenizer repaired."""

import json
import shutil

import pytest
from safetensors.torch import load_file
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from spacy_selectra.errors import OtherRunError, SelectraError
from spacy_selectra.pretraining.initialization.init_from import adopt_discriminator
from spacy_selectra.text.tokenizer import load_backend


@pytest.fixture
def published(parts, tmp_path):
    """A directory as on the hub: vocabulary with accents, settings left out."""
    directory = tmp_path / "published"
    directory.mkdir()
    for name in ("config.json", "model.safetensors", "vocab.txt"):
        (directory / name).write_bytes((parts["discriminator"] / name).read_bytes())
    return directory


def test_weights_stay_and_accents_too(published, tmp_path):
    target = adopt_discriminator(published, tmp_path / "run")
    assert target == tmp_path / "run" / "discriminator"
    before = load_file(published / "model.safetensors")
    after = load_file(target / "model.safetensors")
    assert all(after[name].equal(tensor) for name, tensor in before.items())
    assert load_backend(target).encode("ñú").tokens[1:-1] == ["ñ", "##ú"]
    declared = json.loads((target / "tokenizer_config.json").read_text("utf-8"))
    assert (declared["do_lower_case"], declared["strip_accents"]) == (False, False)
    assert declared["model_max_length"] == 64


def test_a_pretraining_run_is_replaced_only_on_request(published, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text("{}", "utf-8")
    with pytest.raises(OtherRunError, match="holds a pretraining run"):
        adopt_discriminator(published, run)
    adopt_discriminator(published, run, replace=True)
    assert [path.name for path in run.iterdir()] == ["discriminator"]


def test_a_run_may_be_replaced_by_its_own_discriminator(published, tmp_path):
    target = adopt_discriminator(published, tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text("{}", "utf-8")
    before = (target / "model.safetensors").read_bytes()
    assert adopt_discriminator(target, tmp_path / "run", replace=True) == target
    assert (target / "model.safetensors").read_bytes() == before
    assert not (tmp_path / "run" / "run.json").exists()


@pytest.mark.parametrize("place", ["discriminator/best", "old/best", "."])
def test_a_run_is_not_replaced_by_a_part_of_itself(published, tmp_path, place):
    run = tmp_path / "run"
    shutil.copytree(published, run / place, dirs_exist_ok=True)
    (run / "run.json").write_text("{}", "utf-8")
    before = sorted(run.rglob("*"))
    with pytest.raises(SelectraError, match=r"is in .*, which would be deleted first"):
        adopt_discriminator(run / place, run, replace=True)
    assert sorted(run.rglob("*")) == before


def test_missing_model_leaves_a_run_alone(tmp_path):
    (tmp_path / "run.json").write_text("{}", "utf-8")
    with pytest.raises(SelectraError, match="no such model directory"):
        adopt_discriminator("./absent", tmp_path, replace=True)
    assert (tmp_path / "run.json").exists()


def test_pretrain_command_takes_it(published, tmp_path):
    config = "configs/pretrain_sample.cfg"
    arguments = ["pretrain", config, str(tmp_path / "run"), "--published", str(published)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "nothing was trained" in result.stdout
    assert (tmp_path / "run" / "discriminator" / "model.safetensors").is_file()
