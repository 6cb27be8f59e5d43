from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path

import pytest
import torch

from spacy_selectra.corpus.packed.format import read_manifest
from spacy_selectra.errors import OtherRunError
from spacy_selectra.pretraining.run_directory import (
    add_part,
    check_identity,
    run_identity,
    run_record,
)

CPU = torch.device("cpu")


@pytest.fixture
def make(data, settings):
    """A record of the test's configuration with overrides, and its identity."""

    def record(recipe: Path | None = None, **overrides):
        found, manifest = settings(**overrides), read_manifest(data.corpus)
        identity = run_identity(found, manifest)
        return run_record(identity, found, manifest, CPU, "fp32", world_size=2, recipe=recipe)

    return record


def git(directory: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Ana", "-c", "user.email=ana@example.org")
    command = ["git", "-C", str(directory), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_record_holds_settings_data_and_surroundings(make, data):
    record = make(training__max_steps=7)
    assert json.loads(json.dumps(record)) == record
    assert record["settings"]["training"]["max_steps"] == 7
    assert record["settings"]["optimizer"]["beta2"] == 0.999  # a default
    manifest = read_manifest(data.corpus)
    for split in ("train", "heldout"):
        assert record["data"][split]["tokens"] == manifest.splits[split].tokens
        assert record["data"][split]["sequences"] == manifest.splits[split].sequences
    assert record["data"]["tokenizer_sha256"] == manifest.tokenizer_sha256
    assert record["data"]["train"]["sha256"] == record["identity"]["data"]["corpus"]
    assert record["data"]["heldout"]["sha256"] != record["data"]["train"]["sha256"]
    assert record["versions"]["torch"] == torch.__version__
    assert (record["precision"], record["world_size"]) == ("fp32", 2)
    assert record["device"]["threads"] == torch.get_num_threads()
    assert record["device"]["cpu"]
    assert record["started"].endswith("+00:00")
    assert record["parts"] == []


def test_record_names_no_path_but_those_of_the_settings(make, data):
    record = make()
    assert str(data.corpus) in json.dumps(record["settings"])
    rest = json.dumps({key: value for key, value in record.items() if key != "settings"})
    for path in (data.corpus.parent, Path.cwd(), Path.home()):
        assert f'"{path}' not in rest


def test_git_state_of_the_recipe(make, tmp_path):
    assert make(recipe=tmp_path)["git"] is None  # no repository
    git(tmp_path, "init", "--quiet")
    assert make(recipe=tmp_path)["git"] is None  # no commit
    (tmp_path / "recipe.cfg").write_text("[training]\n")
    git(tmp_path, "add", "recipe.cfg")
    git(tmp_path, "commit", "--quiet", "--message", "Recipe")
    commit = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "output.txt").write_text("not under version control")
    assert make(recipe=tmp_path)["git"] == {"commit": commit, "dirty": False}
    (tmp_path / "recipe.cfg").write_text("[objective]\n")
    assert make(recipe=tmp_path)["git"] == {"commit": commit, "dirty": True}


def test_machine_without_git(make, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert make()["git"] is None


def test_resumed_parts_are_appended_with_what_has_changed(make):
    record = make()
    record["versions"] = {**record["versions"], "torch": "2.4.0", "gone": "1"}
    before = copy.deepcopy(record)
    once = add_part(record, CPU, "bf16", 4, step=40)
    twice = add_part(once, CPU, "fp32")
    assert record == before
    assert {**twice, "parts": []} == before
    first, second = twice["parts"]
    assert first["versions"] == {"torch": torch.__version__, "gone": None}
    assert (first["step"], first["precision"], first["world_size"]) == (40, "bf16", 4)
    assert (second["step"], second["world_size"]) == (None, 1)
    assert second["device"] == record["device"]
    assert second["started"] >= record["started"]


def test_record_of_an_earlier_version_can_be_added_to(make):
    assert len(add_part({"identity": make()["identity"]}, CPU, "fp32")["parts"]) == 1


def test_identity_is_what_shapes_the_networks_and_nothing_else(make):
    one = make()["identity"]
    same = {
        "training__threads": 2,
        "training__max_steps": 99,
        "training__log_every": 1,
        "optimizer__learning_rate": 1e-4,
    }
    check_identity(one, make(**same)["identity"], "out")
    for other in ({"training__seed": 4}, {"encoder__hidden_size": 64}):
        with pytest.raises(OtherRunError, match="cannot resume with a different configuration"):
            check_identity(one, make(**other)["identity"], "out")


def test_logging_is_no_part_of_the_identity(data, settings):
    from spacy_selectra.pretraining.config import LoggingSettings

    manifest, plain = read_manifest(data.corpus), settings()
    logged = plain.model_copy(update={"logging": LoggingSettings(tensorboard=True)})
    assert run_identity(plain, manifest) == run_identity(logged, manifest)
