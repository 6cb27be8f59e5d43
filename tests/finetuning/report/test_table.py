from __future__ import annotations

import json
from pathlib import Path

import pytest

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.report.collect import (
    check_names,
    collect,
    published_for,
    read_names,
)
from spacy_selectra.finetuning.report.published import FULL_SIZES, PUBLISHED
from spacy_selectra.finetuning.report.table import markdown
from spacy_selectra.util.files import write_json
from tests.finetuning.report.fake_metrics import two_models, write_new, write_old


def test_old_files_make_a_table_without_size_and_speed(tmp_path: Path):
    write_old(tmp_path / "a")
    write_old(tmp_path / "b", data="sample", mean=0.9, std=None, split="dev", trials=[{}])
    write_old(tmp_path / "c", encoder="other", mean=0.7)
    assert markdown(collect([tmp_path])).split("\n\n")[0].splitlines() == [
        "| model | parameters | sample accuracy (dev) | xnli accuracy |",
        "|---|---|---|---|",
        "| other | 5.4 M |  | **0.700 ± 0.010** (2) |",
        "| ours | 5.4 M | **0.900** (1) | 0.612 ± 0.010 (2) |",
    ]


def test_table_with_size_speed_and_five_trials(tmp_path: Path):
    two_models(tmp_path)
    write_new(tmp_path / "gpu", encoder="gpu", mean=0.5, device="cuda", size_bytes=None)
    write_new(tmp_path / "still", encoder="still", mean=0.5, words_per_second=None)
    assert markdown(collect([tmp_path])).split("\n\n")[0].splitlines() == [
        "| model | parameters | size (MB) | words/s | own accuracy | xnli accuracy |",
        "|---|---|---|---|---|---|",
        "| gpu | 5.4 M |  | 12,346 (cuda) |  | 0.500 ± 0.010 |",
        "| ours | 5.4 M | 21.6 | 11,173 | **0.800 ± 0.010** | 0.612 ± 0.010 |",
        "| still | 5.4 M | 21.6 |  |  | 0.500 ± 0.010 |",
        "| hub/large | 110 M | 440.0 | 950 | 0.790 ± 0.010 | **0.710 ± 0.010** |",
    ]


def test_published_rows_follow_with_their_sources(tmp_path: Path):
    write_new(tmp_path / "a", mean=0.1)
    results = collect([tmp_path])
    lines = markdown([*results, *published_for(results)]).splitlines()
    assert lines[2] == "| ours | 5.4 M | 21.6 | 12,346 | **0.100 ± 0.010** |"
    assert all("(published)" in line for line in lines[3 : lines.index("")])
    medium = next(line for line in lines if line.startswith("| SELECTRA medium"))
    assert medium == "| SELECTRA medium (published) | 41 M |  |  | 0.804 ± 0.002 [P1] |"
    assert any(line.startswith("- [P1] SELECTRA model card") for line in lines)
    # two sources that agree, and a third that does not
    beto = next(line for line in lines if line.startswith("| BETO cased"))
    assert beto.endswith("| 0.813 [P3, P4]; 0.8198 [P5] |")


def test_notes_say_what_does_not_compare(tmp_path: Path):
    write_new(tmp_path / "a", trials=[{"collapsed": True}, {"collapsed": False}])
    write_new(tmp_path / "b", encoder="other", examples={"train": 100, "test": 5010})
    examples = {"train": 1962, "dev": 10, "test": 1993}
    write_new(tmp_path / "c", data="pawsx", examples=examples)
    write_new(tmp_path / "d", data="ud_pos")
    examples = {"train": 8323, "dev": 10, "test": 1517}
    write_new(tmp_path / "e", data="conll2002", metric="f1", examples=examples)
    write_old(tmp_path / "f", data="mldoc", split="dev")
    results = collect([tmp_path])
    notes = markdown([*results, *published_for(results)]).split("\n\n")[1]
    for expected in [
        "the mean of 2 to 5 trials",
        "ours, xnli accuracy: 1 of 2 trials collapsed",
        "Columns marked (dev) are on the development split",
        "xnli accuracy: the measured models were trained on different amounts of data (100 to",
        "xnli accuracy: measured models were trained on 100 to 2,490 examples, published ones on "
        "392,702; not comparable.",
        "pawsx accuracy: measured on 1,993 test examples, published on 2,000.",
        "ud_pos accuracy: published results on this data set are in another metric (f1)",
        "pawsx accuracy [P3]: the SELECTRA card calls this accuracy",
    ]:
        assert expected in notes
    # the full data set: nothing to warn of
    assert "conll2002 f1: measured" not in notes
    # no published figures on development splits
    assert "mldoc accuracy (dev):" not in notes
    assert "full training sets" not in markdown(results)


def test_names_are_shown_as_they_are(tmp_path: Path):
    write_new(tmp_path / "a", encoder="a|b <i>*x*</i>\n& c")
    row = markdown(collect([tmp_path])).splitlines()[2]
    assert row.startswith("| a\\|b &lt;i>\\*x\\*&lt;/i> &amp; c | 5.4 M |")


def test_display_names(tmp_path: Path):
    write_new(tmp_path / "a", encoder="./runs/lr=1/model/")
    write_new(tmp_path / "b", encoder="runs/lr=1/model", data="own")
    write_json(tmp_path / "names.json", {"runs/lr=1/model": "first", "unused": "u"})
    pairs = ["runs/lr=1/model=ours"]
    results = collect([tmp_path], read_names(tmp_path / "names.json", pairs))
    assert {result.model for result in results} == {"ours"}
    assert {result.encoder for result in results} == {"./runs/lr=1/model/", "runs/lr=1/model"}
    check_names(pairs, results)
    with pytest.raises(SelectraError, match=r"no result of 'rums' \(there are: runs/lr=1/model\)"):
        check_names(["rums=ours"], results)
    with pytest.raises(SelectraError, match="write it as ENCODER=NAME"):
        read_names(None, ["ours"])
    write_json(tmp_path / "names.json", ["ours"])
    with pytest.raises(SelectraError, match=r"names\.json: not a JSON object"):
        read_names(tmp_path / "names.json")


def test_two_results_for_one_cell(tmp_path: Path):
    write_old(tmp_path / "a")
    write_old(tmp_path / "b")
    with pytest.raises(SelectraError, match="a second result of ours on xnli accuracy, after"):
        collect([tmp_path])
    # the same file by two ways is one result
    assert len(collect([tmp_path / "a", tmp_path / "a" / "metrics.json"])) == 1
    # and so are two encoders that are given one name
    write_old(tmp_path / "b", encoder="other")
    assert len(collect([tmp_path])) == 2
    with pytest.raises(SelectraError, match="a second result of ours"):
        collect([tmp_path], {"other": "ours"})


def test_one_column_on_different_test_data(tmp_path: Path):
    write_new(tmp_path / "a")
    write_new(tmp_path / "b", encoder="other", fingerprints={"data": {"test": "y"}})
    with pytest.raises(
        SelectraError, match=r"xnli accuracy was measured on other data than in .*a"
    ):
        collect([tmp_path])
    # of the development split its own data counts
    write_new(tmp_path / "b", encoder="other", split="dev", fingerprints={"data": {"dev": "y"}})
    assert len(collect([tmp_path])) == 2


def test_nothing_there_and_foreign_files(tmp_path: Path):
    with pytest.raises(SelectraError, match=r"no metrics\.json"):
        collect([tmp_path])
    write_json(tmp_path / "metrics.json", {"mean": 1.0})
    with pytest.raises(SelectraError, match="not written by finetune"):
        collect([tmp_path])
    for mean in ("high", float("nan")):
        (tmp_path / "metrics.json").write_text(
            json.dumps({"mean": mean, "std": None, "split": "test", "data": "d", "metric": "m"})[
                :-1
            ]
            + ', "trials": [], "encoder": "e", "parameters": 1}'
        )
        with pytest.raises(SelectraError, match="not written by finetune"):
            collect([tmp_path])


def test_published_figures_are_plausible_and_sourced():
    for row in PUBLISHED:
        assert 0.25 < row.mean < 1
        assert row.std is None or 0 < row.std < 0.1
        assert 4_000_000 < row.parameters < 400_000_000
        assert len(row.source) > 20
    keys = [(row.model, row.data, row.metric, row.source) for row in PUBLISHED]
    assert len(set(keys)) == len(keys)
    assert {row.data for row in PUBLISHED} >= set(FULL_SIZES)
    # spot checks against the sources
    found = {(row.model, row.data, row.metric): row.mean for row in PUBLISHED}
    assert found["SELECTRA small", "conll2002", "f1"] == 0.865
    assert found["ALBETO tiny", "xquad", "f1"] == 0.6643
    assert found["ALBETO xxlarge", "sqac", "exact_match"] == 0.6267
    assert found["ELECTRICIDAD", "ud_pos", "f1"] == 0.9818
    assert found["ELECTRICIDAD", "sts_es", "combined"] == 0.8065
