from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from spacy_selectra.corpus.documents import read_documents
from spacy_selectra.corpus.packed.format import PackedCorpus
from spacy_selectra.corpus.vocabulary import VocabularySettings, train_vocabulary
from spacy_selectra.text.tokenizer import read_vocabulary, save_tokenizer
from tests.corpus.conftest import as_documents, spanish_texts

run = CliRunner()
GOOD = "En la plaza de la ciudad había una fuente que todos los vecinos cuidaban con cariño"


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tokenizer")
    documents = as_documents(spanish_texts(50))
    result = train_vocabulary(lambda: iter(documents), VocabularySettings(size=150))
    save_tokenizer(result.tokenizer, directory)
    return directory


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.txt"
    path.write_text("\n\n".join(spanish_texts(60)), encoding="utf-8")
    return path


def test_clean_reports_what_it_dropped_and_why(tmp_path: Path) -> None:
    source, out = tmp_path / "raw.txt", tmp_path / "clean.jsonl.zst"
    source.write_text(f"{GOOD}.\n\n{GOOD}.\n\ncorto\n\n{GOOD} año tras año.", encoding="utf-8")
    result = run.invoke(app, ["corpus", "clean", str(source), str(out), "--quiet"])
    assert result.exit_code == 0
    assert result.stdout == (
        f"{out}: kept 2 of 4 documents\n  1 dropped: too short\n  1 dropped: duplicate\n"
    )
    assert [document.text for document in read_documents(out)] == [
        f"{GOOD}.",
        f"{GOOD} año tras año.",
    ]


def test_a_forgotten_output_destroys_nothing(source: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.jsonl"
    second.write_text(json.dumps({"text": f"{GOOD}."}) + "\n", encoding="utf-8")
    before = second.read_bytes()
    names = tmp_path / "names.yml"
    names.write_text("a: [a]\n", encoding="utf-8")
    for command in (
        ("corpus", "clean"),
        ("corpus", "sample", "--reference", str(source)),
        ("corpus", "mix", "--factor", "a=1"),
        ("labels", "texts", "--names", str(names)),
        ("labels", "pairs", "--names", str(names), "--template", "Es de {}."),
        ("vocab", "train"),
    ):
        group, name, *options = command
        result = run.invoke(app, [group, name, str(source), str(second), *options])
        assert result.exit_code == 1, command
        assert str(second) in result.stderr
        assert second.read_bytes() == before
    replaced = run.invoke(app, ["corpus", "clean", str(source), str(second), "--replace"])
    assert replaced.exit_code == 0, replaced.stderr
    assert second.read_bytes() != before


def test_sample_keeps_the_share(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "sample.jsonl"
    arguments = ["corpus", "sample", str(source), str(out), "--reference", str(source)]
    result = run.invoke(app, [*arguments, "--share", "0.5", "--json", "--quiet"])
    assert result.exit_code == 0, result.output
    values = json.loads(result.stdout)
    assert values["read"] == 60
    assert 15 < values["kept"] == len(list(read_documents(out))) < 45


def test_pack_and_info(source: Path, tokenizer: Path, tmp_path: Path) -> None:
    out = tmp_path / "packed"
    arguments = ["corpus", "pack", str(source), str(out), "--tokenizer", str(tokenizer)]
    arguments += ["--length", "32", "--heldout", "0.2"]
    result = run.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "packing: 60 documents" in result.stderr
    corpus = PackedCorpus(out, vocabulary=read_vocabulary(tokenizer))
    info = run.invoke(app, ["corpus", "info", str(out), "--verify", "--quiet"])
    assert info.exit_code == 0
    assert info.stdout == result.stdout
    assert f"{corpus.n_tokens:,}" in info.stdout
    values = json.loads(run.invoke(app, ["corpus", "info", str(out), "--json"]).stdout)
    assert values == json.loads((out / "manifest.json").read_text())


def test_heldout_from_switches_the_share_off(source: Path, tokenizer: Path, tmp_path: Path) -> None:
    other, out = tmp_path / "other.txt", tmp_path / "packed"
    other.write_text("\n\n".join(spanish_texts(7, seed=5)), encoding="utf-8")
    arguments = ["corpus", "pack", str(source), str(out), "--tokenizer", str(tokenizer)]
    arguments += ["--heldout-from", str(other), "--json", "--quiet"]
    values = json.loads(run.invoke(app, arguments).stdout)
    assert values["heldout_share"] == 0.0
    assert values["splits"]["train"]["documents"] == 60
    assert values["splits"]["heldout"]["documents"] == 7


def test_errors_are_one_line(source: Path, tokenizer: Path, tmp_path: Path) -> None:
    result = run.invoke(app, ["corpus", "info", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stderr == f"error: {tmp_path}: not a packed corpus, it has no manifest.json\n"
    arguments = ["corpus", "pack", str(source), str(tmp_path / "out"), "--quiet", "--tokenizer"]
    result = run.invoke(app, [*arguments, str(tmp_path / "nada")])
    assert result.exit_code == 1
    assert "nada: no such tokenizer directory" in result.stderr
    latin = tmp_path / "latin.txt"
    latin.write_bytes("el niño".encode("latin-1"))
    arguments[2] = str(latin)
    result = run.invoke(app, [*arguments, str(tokenizer)])
    assert result.exit_code == 1
    assert "not UTF-8" in result.stderr


def test_help_has_an_example() -> None:
    for command in ("clean", "sample", "pack", "info"):
        result = run.invoke(app, ["corpus", command, "--help"])
        assert f"python -m spacy_selectra corpus {command}" in result.stdout
