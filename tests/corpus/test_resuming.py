"""Interrupted commands go on where they were, with data sets of the hub as with files."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from spacy_selectra.corpus import hub, resuming
from spacy_selectra.corpus.compression import open_for_reading
from spacy_selectra.corpus.documents import Document, DocumentStream
from spacy_selectra.corpus.packed import builder, units
from spacy_selectra.errors import SelectraError
from tests.corpus.conftest import spanish_texts

run = CliRunner()
ROWS, SHARDS = 100, 3


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out as data sets of the hub are, some of its texts copies."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path_factory.mktemp("hub") / "fineweb-es"
    (folder / "data").mkdir(parents=True)
    texts = spanish_texts(ROWS)
    texts[50:60] = texts[20:30]
    size = -(-ROWS // SHARDS)
    for shard in range(SHARDS):
        rows = texts[shard * size : (shard + 1) * size]
        table = pa.table({"id": [f"<{n}>" for n in range(len(rows))], "text": rows})
        name = f"train-{shard:05}-of-{SHARDS:05}.parquet"
        pq.write_table(table, folder / "data" / name, row_group_size=8)
    (folder / "README.md").write_text("# A data set\n", encoding="utf-8")
    return folder


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "PART", 12)
    monkeypatch.setattr(units, "DOCUMENTS_PER_UNIT", 6)
    monkeypatch.setattr(builder, "UNITS_PER_SHARD", 2)


class Line:
    """The way to the hub: breaks down on demand, and knows what came through."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.breaks_after: int | None = None
        self.error: BaseException = SelectraError("the line is dead")
        self.rows: list[int] = []
        real = hub.HubStream.__iter__

        def rows(stream: hub.HubStream) -> Iterator[tuple[int, Mapping[str, Any]]]:
            for number, row in real(stream):
                if self.breaks_after is not None and number > self.breaks_after:
                    raise self.error
                self.rows.append(number)
                yield number, row

        monkeypatch.setattr(hub.HubStream, "__iter__", rows)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    return Line(monkeypatch)


@pytest.mark.parametrize("read", [0, 33, 34, 67, 100])
def test_a_stream_goes_on_from_its_position(data_set: Path, tmp_path: Path, read: int):
    (tmp_path / "first.txt").write_text("Uno.\n\nDos.\n\nTres.")
    (tmp_path / "last.jsonl").write_text('{"text": "Fin."}\n')
    sources = [str(tmp_path / "first.txt"), f"hub:{data_set}", str(tmp_path / "last.jsonl")]
    whole = list(DocumentStream(sources))
    assert len(whole) == 3 + ROWS + 1
    assert whole[3] == Document(spanish_texts(1)[0], f"hub:{data_set}", "1")
    for count in (2, 3 + read, len(whole)):
        stream = DocumentStream(sources)
        assert list(islice(stream, count)) == whole[:count]
        position = json.loads(json.dumps(stream.position()))
        again = DocumentStream(sources, position=position)
        assert list(again) == whole[count:]


def written(path: Path) -> bytes:
    with open_for_reading(path) as stream:
        return stream.read()


CLEAN = ["corpus", "clean", "--max-repeated", "0.6", "--json"]
MIX = ["corpus", "mix", "--default", "1.5", "--factor", "SOURCE=1.5", "--json"]


@pytest.mark.parametrize("command", [CLEAN, MIX])
@pytest.mark.parametrize("error", [SelectraError("the line is dead"), KeyboardInterrupt()])
def test_clean_and_mix_go_on(
    data_set: Path,
    tmp_path: Path,
    small: None,
    line: Line,
    command: list[str],
    error: BaseException,
):
    command = [part.replace("SOURCE", f"hub:{data_set}") for part in command]

    def start(out: Path, *options: str) -> Any:
        return run.invoke(app, [*command, f"hub:{data_set}", str(out), *options])

    undisturbed = start(tmp_path / "whole.jsonl.zst", "--quiet")
    assert undisturbed.exit_code == 0, undisturbed.output
    out, partial = tmp_path / "out.jsonl.zst", tmp_path / "out.jsonl.zst.partial"
    line.error = error
    for line.breaks_after in (5, 40, 75):
        line.rows.clear()
        assert start(out).exit_code != 0
        assert not out.exists()
        # nothing is kept of less than a part; then what came before the last whole one is not read
        assert partial.exists() == (line.breaks_after > 5)
        assert line.rows[0] == {5: 1, 40: 1, 75: 37}[line.breaks_after]
    line.breaks_after = None
    line.rows.clear()
    finished = start(out)
    assert finished.exit_code == 0, finished.output
    assert line.rows == list(range(73, 101))
    assert "resuming after" in finished.stderr
    assert out.read_bytes() == (tmp_path / "whole.jsonl.zst").read_bytes()
    assert finished.stdout.replace("out.jsonl", "whole.jsonl") == undisturbed.stdout
    assert not partial.exists()
    if command[1] == "clean":
        assert json.loads(finished.stdout)["dropped"]["duplicate"] == 10


def test_other_settings_or_files_begin_anew(
    data_set: Path, tmp_path: Path, small: None, line: Line
):
    source = tmp_path / "a.jsonl"
    texts = spanish_texts(20, seed=3)
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    out = tmp_path / "out.jsonl"
    command = ["corpus", "clean", str(source), f"hub:{data_set}", str(out)]
    line.breaks_after = 10
    assert "the line is dead" in run.invoke(app, command).stderr
    assert "resuming after" in run.invoke(app, command).stderr
    other = run.invoke(app, [*command, "--min-characters", "60"])
    assert "resuming after" not in other.stderr
    assert "resuming after" in run.invoke(app, [*command, "--min-characters", "60"]).stderr
    source.write_text(json.dumps({"text": texts[0]}) + "\n")
    line.breaks_after = None
    result = run.invoke(app, [*command, "--min-characters", "60", "--json"])
    assert "resuming after" not in result.stderr
    assert json.loads(result.stdout)["read"] == 1 + ROWS


def test_a_request_to_stop_says_how_to_go_on(
    data_set: Path, tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
):
    out = tmp_path / "out.jsonl"
    real = hub.HubStream.__iter__

    def stopped(stream: hub.HubStream) -> Iterator[tuple[int, Mapping[str, Any]]]:
        for number, row in real(stream):
            if number == 30:
                os.kill(os.getpid(), signal.SIGTERM)
            yield number, row

    monkeypatch.setattr(hub.HubStream, "__iter__", stopped)
    result = run.invoke(app, ["corpus", "clean", f"hub:{data_set}", str(out), "--quiet"])
    assert result.exit_code == 1
    assert result.stderr == (
        f"error: stopped on request: finished parts are in {out}.partial: "
        "run the same command again to continue\n"
    )


def test_packing_goes_on(
    data_set: Path, tokenizer_dir: Path, tmp_path: Path, small: None, line: Line
):
    settings = builder.PackSettings(length=32, heldout=0.1)

    def packed(out: Path) -> dict[str, bytes]:
        builder.pack_corpus(f"hub:{data_set}", out, tokenizer_dir, settings)
        return {path.name: path.read_bytes() for path in out.iterdir()}

    whole = packed(tmp_path / "whole")
    for line.breaks_after in (40, 75):
        line.rows.clear()
        with pytest.raises(SelectraError, match="the line is dead"):
            packed(tmp_path / "out")
    assert line.rows[0] == 37
    line.breaks_after = None
    line.rows.clear()
    assert packed(tmp_path / "out") == whole
    assert line.rows == list(range(73, 101))


def test_a_hub_that_has_no_such_data_set(tmp_path: Path):
    result = run.invoke(app, ["corpus", "clean", f"hub:{tmp_path}/no", str(tmp_path / "o.jsonl")])
    assert result.exit_code == 1
    assert "no: cannot be opened" in result.stderr
    assert list(tmp_path.iterdir()) == []
