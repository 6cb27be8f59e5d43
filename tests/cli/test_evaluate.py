from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from tests.pretraining.conftest import Data, data, leave_torch_as_it_was

__all__ = ["data", "leave_torch_as_it_was"]  # fixtures


def run(*arguments: object, status: int = 0):
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
    assert result.exit_code == status, result.output
    return result


@pytest.fixture(scope="module")
def trained(data: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 12 steps, six rows of log and two of held-out text."""
    output = tmp_path_factory.mktemp("evaluate") / "run"
    arguments = ["pretrain", str(data.config), str(output), "--quiet"]
    result = CliRunner().invoke(app, [*arguments, "--training.evaluate_every", "6"])
    assert result.exit_code == 0, result.output
    return output


def test_table_shows_thresholds_and_what_is_published(data, trained):
    table = run("discriminator", trained, data.corpus, "--bootstrap", 20).stdout
    lines = {line.split()[0]: line.split()[1:] for line in table.splitlines() if line}
    assert lines["accuracy"][-2:] == ["0.985", "0.94"]
    assert lines["precision"][-2:] == ["0.726", "0.76"]
    assert lines["auc"][-2:] == ["0.922", "0.92"]
    assert len(lines["recall"]) == 2  # the cards give none
    assert "** from its model card" in table
    assert lines["mask_prob"] == ["0.15"]
    assert {f"0.{tenth}" for tenth in range(1, 10)} <= lines.keys()
    assert "best:" in lines
    assert "95% interval of auc" in table


def test_json_holds_what_the_table_shows(data, trained):
    found = json.loads(run("discriminator", trained, data.corpus, "--json").stdout)
    assert found["mask_prob"] == 0.15
    assert {"auc", "average_precision", "brier", "rtd_loss", "mlm_loss"} <= found.keys()
    assert found["without_special"]["base_rate"] > found["base_rate"]
    half = found["thresholds"][4]
    assert half["threshold"] == 0.5
    assert half["precision"] == pytest.approx(found["precision"])
    assert found["best_f1"]["f1"] >= max(row["f1"] for row in found["thresholds"])
    assert [row["recall"] for row in found["precision_at_recall"]] == [0.5, 0.8, 0.9, 0.95]
    assert "auc_interval" not in found
    assert "0.985" not in json.dumps(found)  # nothing published among measured figures


def test_share_of_masks_and_interval_can_be_chosen(data, trained):
    arguments = ["discriminator", trained, data.corpus, "--json"]
    usual = json.loads(run(*arguments).stdout)
    many = json.loads(run(*arguments, "--mask-prob", 0.4, "--bootstrap", 50).stdout)
    assert many == json.loads(run(*arguments, "--mask-share", 0.4, "--bootstrap", 50).stdout)
    assert many["mask_prob"] == 0.4
    assert many["masked"] == pytest.approx(usual["masked"] * 0.4 / 0.15, rel=0.1)
    low, high = many["auc_interval"]
    assert low < many["auc"] < high


@pytest.mark.parametrize("option", [("--mask-prob", 1.5), ("--sequences", 0), ("--bootstrap", -1)])
def test_setting_out_of_range_is_one_line_and_status_one(data, trained, option):
    result = run("discriminator", trained, data.corpus, *option, status=1)
    assert result.stderr.startswith("error: ")


def test_curves_of_a_discriminator(data, trained, tmp_path):
    drawing = tmp_path / "verdicts.png"
    result = run("discriminator", trained, data.corpus, "--quiet", "--curves", drawing)
    assert result.output == ""
    assert drawing.read_bytes().startswith(b"\x89PNG")
    wrong = run("discriminator", trained, data.corpus, "--curves", tmp_path / "a.gif", status=1)
    assert "unknown format" in wrong.stderr


def test_curves_of_a_run(trained, tmp_path):
    drawing = tmp_path / "run.png"
    tables = run("curves", trained, drawing).stdout
    assert drawing.read_bytes().startswith(b"\x89PNG")
    training, heldout = tables.split("Held-out text:")
    steps = [line.split()[1] for line in training.splitlines() if line.startswith("|  ")]
    assert steps[-6:] == ["2", "4", "6", "8", "10", "12"]
    assert "auc" in heldout
    assert run("curves", trained, "--quiet").output == ""


def test_curves_as_json_are_all_rows_of_the_log(trained):
    found = json.loads(run("curves", trained, "--json", "--rows", 1).stdout)
    assert [row["step"] for row in found["train"]] == [2, 4, 6, 8, 10, 12]
    assert [row["step"] for row in found["heldout"]] == [6, 12]
    assert {"loss", "mlm_loss", "rtd_loss", "tokens_seen"} <= found["train"][0].keys()


def test_curves_of_something_else(tmp_path):
    result = run("curves", tmp_path, status=1)
    assert "pretraining run" in result.stderr
