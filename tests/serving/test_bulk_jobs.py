"""`annotate` from file to file: parts, interruptions, broken rows, processes."""

import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from spacy_selectra.errors import OtherRunError, SelectraError
from spacy_selectra.serving.bulk import job
from spacy_selectra.serving.bulk import parts as module
from spacy_selectra.serving.bulk.job import Force, annotate_input
from spacy_selectra.serving.bulk.parts import Work
from tests.processes import run_and_signal


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(module, "_PART_ROWS", 3)


def annotate(path: Path, work: Work, **others) -> int:
    return annotate_input(str(path), work, Force(), quiet=True, **others)


def stop_after(monkeypatch, parts: int) -> None:
    """Let the work end after so many parts, as a full disk might."""
    write, done = module.PartAnnotator._write, []

    def failing(*arguments):
        if len(done) == parts:
            raise SelectraError("no space left")
        done.append(write(*arguments))

    monkeypatch.setattr(module.PartAnnotator, "_write", failing)


def resume(monkeypatch) -> list[str]:
    """Let it go on; the list gets the names of the parts that are annotated now."""
    monkeypatch.undo()
    monkeypatch.setattr(module, "_PART_ROWS", 3)
    whole, names = module.PartAnnotator._annotate, []
    monkeypatch.setattr(
        module.PartAnnotator,
        "_annotate",
        lambda self, part: names.append(part.name) or whole(self, part),
    )
    return names


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz", "out.parquet", "out.spacy"])
def test_interrupted_work_goes_on_and_ends_as_if_undisturbed(rules, rows, name, monkeypatch):
    work = Work(rules, str(rows.parent / "whole" / name), batch_size=2)
    assert annotate(rows, work) == 0
    again = replace(work, output=str(rows.parent / name))
    stop_after(monkeypatch, 2)
    with pytest.raises(SelectraError, match="no space left"):
        annotate(rows, again)
    assert not Path(again.output).exists()
    names = resume(monkeypatch)
    annotate(rows, again)
    # twenty rows in parts of two batches of two; two were there
    assert names == [f"000000-{number:08d}" for number in (2, 3, 4)]
    assert Path(again.output).read_bytes() == Path(work.output).read_bytes()
    assert sorted(path.name for path in rows.parent.iterdir()) == sorted([name, rows.name, "whole"])


def test_other_work_is_refused_and_can_be_replaced(rules, rows, monkeypatch):
    work = Work(rules, str(rows.parent / "out.jsonl"), batch_size=2)
    stop_after(monkeypatch, 2)
    with pytest.raises(SelectraError, match="no space left"):
        annotate(rows, work)
    names = resume(monkeypatch)
    with pytest.raises(
        OtherRunError, match=r"out\.jsonl\.parts: .* another batch size; .*--restart"
    ):
        annotate(rows, replace(work, batch_size=3))
    rows.write_text(rows.read_text("utf-8") + "\n", "utf-8")
    with pytest.raises(OtherRunError, match="another input"):
        annotate(rows, work)
    annotate(rows, work, restart=True)
    assert names[0] == "000000-00000000"
    assert len(Path(work.output).read_text("utf-8").splitlines()) == 20


def test_files_of_others_in_the_directory_of_parts_stay(rules, rows):
    kept = rows.parent / "out.jsonl.parts" / "notes.txt"
    kept.parent.mkdir()
    kept.write_text("mine", "utf-8")
    (kept.parent / "000000-00000000").write_text("of an earlier run, without its record", "utf-8")
    annotate(rows, Work(rules, str(rows.parent / "out.jsonl")))
    assert [path.name for path in kept.parent.iterdir()] == ["notes.txt"]
    assert "earlier" not in (rows.parent / "out.jsonl").read_text("utf-8")


BROKEN = [
    b'{"id": 1, "text": "En Le\xc3\xb3n."}',
    b'{"id": 2, "text": ',
    b'{"id": 3, "text": 7}',
    b'{"id": 4, "text": "C\xe1diz"}',
    b'{"id": 5, "text": "\\ud83d"}',
    b'{"id": 6, "text": "Bilbao", "title": "\\ud83d"}',
    b'{"id": 7, "text": "falla"}',
    b'{"id": 8, "text": "Voy a C\xc3\xa1diz."}',
]
REASONS = [
    (2, "not JSON (Expecting value at character"),
    (3, "expected an object with a string under 'text'"),
    (4, "not UTF-8 (byte 0xe1 at character"),
    (5, "half a surrogate pair at character 1"),
    (6, "half a surrogate pair in one of its columns"),
    (7, "the pipeline fails: RuntimeError: no reason"),
]


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet", "out.spacy"])
def test_broken_rows_go_to_a_file_with_the_reason(rules, tmp_path, name, monkeypatch):
    pipe = module.annotate_docs

    def failing(nlp, texts, *arguments, **others):
        if "falla" in texts:
            raise RuntimeError("no reason\nat all")
        return pipe(nlp, texts, *arguments, **others)

    monkeypatch.setattr(module, "annotate_docs", failing)
    source, errors = tmp_path / "in.jsonl", tmp_path / "errors.jsonl"
    source.write_bytes(b"\n".join(BROKEN))
    work = Work(rules, str(tmp_path / name), errors=str(errors))
    assert annotate(source, work) == 6
    found = [json.loads(line) for line in errors.read_text("utf-8").splitlines()]
    assert [(line["row"], line["place"]) for line in found] == [
        (number, f"{source}, line {number}") for number, _ in REASONS
    ]
    for line, (_, reason) in zip(found, REASONS, strict=True):
        assert line["reason"].startswith(reason)
    assert found[0]["content"] == BROKEN[1].decode()
    assert found[1]["content"] == {"id": 3, "text": 7}
    if name == "out.jsonl":
        kept = [json.loads(line) for line in Path(work.output).read_text("utf-8").splitlines()]
        assert [row["id"] for row in kept] == [1, 8]
        assert [row["ents"][0]["text"] for row in kept] == ["León", "Cádiz"]


def test_without_a_file_for_them_the_first_broken_row_stops_and_naming_one_goes_on(rules, rows):
    lines = rows.read_text("utf-8").splitlines()
    rows.write_text("\n".join([*lines[:10], "{", *lines[10:]]), "utf-8")
    work = Work(rules, str(rows.parent / "out.jsonl"), batch_size=3)
    with pytest.raises(SelectraError, match=r"in\.jsonl, line 11: not JSON"):
        annotate(rows, work)
    assert annotate(rows, replace(work, errors=str(rows.parent / "errors.jsonl"))) == 1
    assert len(Path(work.output).read_text("utf-8").splitlines()) == 20
    assert json.loads((rows.parent / "errors.jsonl").read_text("utf-8"))["row"] == 11


def test_an_output_within_the_folder_that_is_read(rules, rows):
    with pytest.raises(SelectraError, match="within the input folder"):
        annotate(rows.parent, Work(rules, str(rows.parent / "out.jsonl")))


def test_a_stop_between_batches_keeps_finished_parts(rules, rows, monkeypatch):
    seen = []

    class Stop(job.StopRequest):
        def check(self):
            seen.append(1)
            self.requested = len(seen) > 4
            super().check()

    monkeypatch.setattr(job, "StopRequest", Stop)
    work = Work(rules, str(rows.parent / "out.jsonl"), batch_size=3)
    with pytest.raises(SelectraError, match="stopped on request; finished parts are in"):
        annotate(rows, work)
    parts = sorted(path.name for path in (rows.parent / "out.jsonl.parts").iterdir())
    assert parts == [*(f"000000-{number:08d}" for number in range(4)), "job.json"]


def test_a_stream_gets_what_there_is_batch_by_batch(rules, rows):
    arguments = ["annotate", rules, str(rows), "-", "-q", "--batch-size", "4"]
    result = CliRunner().invoke(app, arguments)
    annotate(rows, Work(rules, str(rows.parent / "out.jsonl")))
    assert result.stdout == (rows.parent / "out.jsonl").read_text("utf-8")


@pytest.mark.slow
def test_killed_twice_and_then_on_two_processes(rules, tmp_path, monkeypatch):
    monkeypatch.undo()  # parts of a thousand rows, as in the process that is killed
    source, out = tmp_path / "in.txt", tmp_path / "out.jsonl"
    source.write_text("".join(f"Voy a León el día {n}.\n" for n in range(5000)), "utf-8")
    command = ["annotate", rules, str(source), str(out), "-q"]
    for parts in (1, 2):  # just before one more gets its name
        killed = run_and_signal(command, signal.SIGKILL, "000000-0000000[1-9]", parts)
        assert killed.returncode == -signal.SIGKILL
        assert len(list((tmp_path / "out.jsonl.parts").glob("0*"))) == parts
    result = CliRunner().invoke(app, [*command, "--processes", "2"])
    assert result.exit_code == 0, result.output
    found = [json.loads(line)["text"] for line in out.read_text("utf-8").splitlines()]
    assert found == source.read_text("utf-8").splitlines()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out.jsonl"]
