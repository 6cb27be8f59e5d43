"""What all commands share: help with an example, one-line errors, exit codes, overrides."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from spacy_selectra.cli.options import ReportingGroup, parse_overrides
from spacy_selectra.errors import SelectraError


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All leaf commands below a group, with their names."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


ROOT = get_command(app)
ALL = dict(commands(ROOT))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_has_help_with_an_example(path):
    result = CliRunner().invoke(app, [*path, "--help"])
    assert result.exit_code == 0
    example = " ".join(result.output.split())
    assert f"selectra {' '.join(path)} " in example


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_unknown_option_is_a_usage_error(path):
    result = CliRunner().invoke(app, [*path, "--nonsense"])
    assert result.exit_code == 2


def test_contract_names_exist():
    assert {path[0] for path in ALL} >= {
        *("vocab", "corpus", "pretrain", "evaluate", "finetune"),
        *("report", "package", "annotate", "serve"),
    }


def test_user_error_is_one_line_and_exit_code_1():
    group = typer.Typer(cls=ReportingGroup)

    @group.callback()
    def _group() -> None: ...

    @group.command("fail")
    def _fail() -> None:
        raise SelectraError("corpus/a.txt: no such file")

    result = CliRunner().invoke(group, ["fail"])
    assert result.exit_code == 1
    assert result.stderr == "error: corpus/a.txt: no such file\n"
    assert result.stdout == ""


@pytest.mark.parametrize("module", ["spacy_selectra", "spacy"])
def test_both_ways_to_start_reach_the_same_commands(module):
    start = [sys.executable, "-m", module, *(["selectra"] if module == "spacy" else [])]
    result = subprocess.run([*start, "report", "no/such/results"], capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith("error: no metrics.json ")
    assert "Traceback" not in result.stderr


def test_overrides():
    assert parse_overrides(["--training.max_steps", "100", "--model.size=small"]) == {
        "training.max_steps": 100,
        "model.size": "small",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "100"], "unexpected argument '--steps'"),
        (["stray"], "unexpected argument 'stray'"),
        (["--training.max_steps"], "has no value"),
    ],
)
def test_malformed_overrides(arguments, message):
    with pytest.raises(SelectraError, match=message):
        parse_overrides(arguments)
