"""Rows on clusters: what Ray's tasks and actors call, and frames as Spark hands them out."""

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from spacy_selectra.errors import SelectraError
from spacy_selectra.serving.bulk.engines import PartActor, PartReader, from_anywhere
from spacy_selectra.serving.bulk.frames import annotate_frames
from spacy_selectra.serving.bulk.job import Force, annotate_input
from spacy_selectra.serving.bulk.outputs import annotation_types
from spacy_selectra.serving.bulk.parts import Outcome, Part, Work


def test_a_reader_and_an_actor_do_every_part_once(rules, rows, tmp_path):
    directory = tmp_path / "parts"
    directory.mkdir()
    work = Work(rules, "out.jsonl", batch_size=600, directory=str(directory))
    rows.write_text(rows.read_text("utf-8") + "\n" + '{"text": "León"}\n' * 2000, "utf-8")
    batch = {"number": [3], "source": [str(rows)]}
    parts = [read["part"][0] for read in PartReader(work)(batch)]
    assert all(isinstance(part, Part) for part in parts)
    actor = PartActor(work)
    outcomes = [actor({"part": [part]})["outcome"][0] for part in parts[:1]]
    assert outcomes == [Outcome("000003-00000000", 1200)]
    # another reader, after an interruption, hands on what is there as done
    again = [read["part"][0] for read in PartReader(work)(batch)]
    assert again[0] == Outcome("000003-00000000", 1200, found=True)
    assert [actor({"part": [part]})["outcome"][0].found for part in again] == [True, False]
    lines = [line for path in sorted(directory.iterdir()) for line in path.open(encoding="utf-8")]
    assert len(lines) == 2020
    assert json.loads(lines[-1])["ents"][0]["text"] == "León"


def test_an_actor_reports_what_stops_the_work(rows):
    (part,) = (
        read["part"][0]
        for read in PartReader(Work("", "o"))({"number": [0], "source": [str(rows)]})
    )
    outcome = PartActor(Work("no_such_pipeline", "out.jsonl"))({"part": [part]})["outcome"][0]
    assert outcome.error.startswith("no_such_pipeline: cannot load the pipeline")


def test_other_machines_get_whole_paths(rules, rows, monkeypatch):
    monkeypatch.chdir(rows.parent)
    work, sources = from_anywhere(Work("es_selectra_tiny", "o"), [rows.name, "hub:NAME:es"])
    assert sources == [str(rows), "hub:NAME:es"]
    assert work.pipeline == "es_selectra_tiny"


def test_ray_reads_no_streams(rules):
    with pytest.raises(SelectraError, match="the engine ray reads files and data sets"):
        annotate_input("-", Work(rules, "out.jsonl"), Force("ray"))
    with pytest.raises(SelectraError, match="unknown engine 'dask'"):
        annotate_input("-", Work(rules, "out.jsonl"), Force("dask"))


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="the extra ray is not installed")
def test_ray_writes_what_one_process_writes(rules, rows, tmp_path):
    work = Work(rules, str(tmp_path / "local.jsonl"), batch_size=2)
    rows.write_text(rows.read_text("utf-8") + "\n" + '{"text": "León"}\n' * 3000, "utf-8")
    annotate_input(str(rows), work, Force(), quiet=True)
    other = replace(work, output=str(tmp_path / "ray.jsonl"))
    try:
        annotate_input(str(rows), other, Force("ray", 2, 2), quiet=True)
    except SelectraError as error:
        if "Ray does not start here" in str(error):  # each start waits for 30 seconds
            pytest.skip(f"this machine is too busy: {error}")
        raise
    assert Path(other.output).read_bytes() == Path(work.output).read_bytes()


def test_frames_as_spark_hands_them_out(rules):
    frames = [
        pd.DataFrame({"id": [1, 2, 3], "cuerpo": ["Voy a León.", None, "Bilbao"]}, index=[7, 8, 9]),
        pd.DataFrame({"id": [], "cuerpo": []}),
    ]
    first, empty = annotate_frames(iter(frames), rules, text_key="cuerpo", batch_size=2)
    assert list(first["id"]) == [1, 2, 3]
    assert [[ent["text"] for ent in ents or []] for ents in first["ents"]] == [
        ["León"],
        [],
        ["Bilbao"],
    ]
    assert list(first["error"]) == [None, "expected an object with a string under 'cuerpo'", None]
    assert first["ents"][8] is None
    assert list(empty.columns) == ["id", "cuerpo", "ents", "cats", "replaced", "zero_shot", "error"]
    # which is how Spark makes columns of them
    column = pa.Array.from_pandas(first["ents"], type=annotation_types()["ents"])
    assert column.to_pylist()[0][0]["start"] == 6
