from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from tests.corpus.conftest import SENTENCE, spanish_texts
from tests.corpus.test_audit import stripping_copy

run = CliRunner()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "corpus.txt"
    path.write_text("\n\n".join(spanish_texts(100)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def tokenizer(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("vocab") / "tokenizer"
    result = run.invoke(app, ["vocab", "train", str(source), str(out), "--size", "150"])
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{out}: 150 entries from ")
    assert "documents/s" in result.stderr
    return out


def test_train_writes_a_tokenizer_that_keeps_accents(tokenizer: Path) -> None:
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(tokenizer)
    assert loaded.decode(loaded(SENTENCE).input_ids, skip_special_tokens=True) == SENTENCE


def test_train_as_json_with_a_notice_for_little_text(source: Path, tmp_path: Path) -> None:
    arguments = ["vocab", "train", str(source), str(tmp_path / "t"), "--size", "9000"]
    result = run.invoke(app, [*arguments, "--json", "--quiet", "--max-length", "128"])
    assert result.exit_code == 0
    values = json.loads(result.stdout)
    assert values["entries"] < 9000
    assert result.stderr.startswith("note: the text is enough for")
    config = json.loads((tmp_path / "t" / "tokenizer_config.json").read_text())
    assert config["model_max_length"] == 128


def test_audit(tokenizer: Path, source: Path) -> None:
    result = run.invoke(app, ["vocab", "audit", str(tokenizer), "--text", str(source)])
    assert result.exit_code == 0
    assert "reachable: every entry" in result.stdout
    assert "pieces per word" in result.stdout


def test_audit_fails_for_stripped_accents(tokenizer: Path, tmp_path: Path) -> None:
    wrong = stripping_copy(tokenizer, tmp_path / "wrong")
    result = run.invoke(app, ["vocab", "audit", str(wrong), "--quiet"])
    assert result.exit_code == 1
    assert "entries that no text can produce" in result.stdout
    assert "niño" in result.stdout
    assert "0 remain" in result.stdout
    result = run.invoke(app, ["vocab", "audit", str(wrong), "--json", "--quiet"])
    assert result.exit_code == 1
    assert "niño" in json.loads(result.stdout)["unreachable"]


def test_errors_are_one_line(tmp_path: Path) -> None:
    result = run.invoke(app, ["vocab", "train", str(tmp_path / "nada.txt"), str(tmp_path / "out")])
    assert result.exit_code == 1
    assert f"error: {tmp_path}/nada.txt: no such file or folder\n" in result.stderr
    result = run.invoke(app, ["vocab", "train", str(tmp_path)])
    assert result.exit_code == 1
    assert "error: give at least one source, then the output" in result.stderr


def test_help_has_an_example() -> None:
    for command in ("train", "audit"):
        result = run.invoke(app, ["vocab", command, "--help"])
        assert f"python -m spacy_selectra vocab {command}" in result.stdout
