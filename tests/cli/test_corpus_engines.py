"""Corpus commands with Ray: the same files as without, whatever the number of workers."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from spacy_selectra.corpus import documents
from spacy_selectra.corpus.packed import units
from spacy_selectra.util import workers
from tests.corpus.conftest import as_documents, spanish_texts
from tests.util.test_workers import Ray

run = CliRunner()


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Texts, copies and near copies of them, in many batches."""
    monkeypatch.setattr(documents, "_BATCH_DOCUMENTS", 7)
    monkeypatch.setattr(units, "DOCUMENTS_PER_UNIT", 7)
    texts = spanish_texts(60)
    texts += [*texts[::3], *(f"Otra vez. {text}" for text in texts[::4]), "corto"]
    rows = [{"text": d.text, "source": d.id[0]} for d in as_documents(texts)]
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tokenizer")
    text = directory / "text.txt"
    text.write_text("\n\n".join(spanish_texts(20)), encoding="utf-8")
    command = ["vocab", "train", str(text), str(directory / "tokenizer"), "--size", "120"]
    assert run.invoke(app, command).exit_code == 0
    return directory / "tokenizer"


def results(
    source: Path, tokenizer: Path, out: Path, *options: str, only: slice = slice(None)
) -> list[bytes]:
    """What the commands write and print."""
    commands = [
        ["clean", "clean.jsonl", "--max-repeated", "0.4", "--source-key", "source"],
        ["dedup", "unique.jsonl", "--dropped", str(out / "dropped.jsonl")],
        ["dedup", "paragraphs.jsonl", "--unit", "paragraphs", "--min-words", "4"],
        ["pack", "packed", "--tokenizer", str(tokenizer), "--length", "32", "--heldout", "0.2"],
    ]
    out.mkdir()
    printed = []
    for name, target, *rest in commands[only]:
        command = ["corpus", name, str(source), str(out / target), *rest, *options, "--quiet"]
        result = run.invoke(app, command)
        assert result.exit_code == 0, result.output
        printed.append(result.stdout.replace(str(out), "").encode())
    files = sorted(path for path in out.rglob("*") if path.is_file())
    return [*printed, *(path.relative_to(out).name.encode() + path.read_bytes() for path in files)]


def test_equal_with_a_stand_in_for_ray(
    source: Path, tokenizer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ray = Ray()

    @contextmanager
    def cluster(processors: int):
        yield ray

    monkeypatch.setattr(workers, "ray_cluster", cluster)
    alone = results(source, tokenizer, tmp_path / "local")
    assert b"dropped: duplicate" in alone[0]
    assert b"dropped: mostly read before" in alone[0]
    for processes in ("1", "3"):
        options = ["--engine", "ray", "--processes", processes]
        assert results(source, tokenizer, tmp_path / processes, *options) == alone
        assert len(ray.given) > 4 * 12
        ray.given.clear()


@pytest.mark.slow
def test_equal_with_ray(source: Path, tokenizer: Path, tmp_path: Path):
    ray = pytest.importorskip("ray")
    dedup = slice(1, 2)
    alone = results(source, tokenizer, tmp_path / "local", only=dedup)
    try:
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    except Exception as error:  # its processes give each other some seconds; not ours to judge
        pytest.skip(f"Ray does not start here: {error}")
    try:
        options = ["--engine", "ray", "--processes", "2"]
        assert results(source, tokenizer, tmp_path / "ray", *options, only=dedup) == alone
    finally:
        ray.shutdown()
