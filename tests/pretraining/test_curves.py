from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.evaluation.metrics import roc_auc
from spacy_selectra.pretraining.evaluation.plots import (
    TRAINING_COLUMNS,
    check_drawing,
    markdown_table,
    predictions_figure,
    read_history,
    save_drawing,
    training_figure,
)

ROWS = [
    {
        "step": step,
        "mlm_loss": 9 / step,
        "rtd_loss": 0.7 / step,
        "rtd_accuracy": 1 - 0.5 / step,
        "learning_rate": step * 1e-5,
        "tokens_per_second": 1000.0,
        "tokens_seen": step * 1_000,
    }
    for step in range(10, 60, 10)
]
EVALUATIONS = [{"step": 20, "auc": 0.7, "accuracy": 0.9}, {"step": 40, "auc": 0.8}]


def lines(figure) -> dict[str, list]:
    """All lines drawn, by the title of their part of the drawing and their name."""
    return {
        f"{axes.get_title()}/{line.get_label()}": line.get_xydata().tolist()
        for axes in figure.axes
        for line in axes.lines
    }


def detector(size: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    replaced = rng.random(size) < 0.1
    return replaced, rng.normal(size=size) + 2 * replaced - 2


def test_training_curves_are_the_rows_of_the_log():
    drawn = lines(training_figure(ROWS, EVALUATIONS))
    assert drawn["Generator's loss/training"] == [[row["step"], row["mlm_loss"]] for row in ROWS]
    assert drawn["Learning rate/training"][-1] == pytest.approx([50, 5e-4])
    assert drawn["Held-out text/area under the ROC curve"] == [[20, 0.7], [40, 0.8]]
    # a figure that some rows lack is drawn where it is
    assert drawn["Discriminator's accuracy/held-out"] == [[20, 0.9]]


def test_run_without_evaluations_or_rows():
    drawn = lines(training_figure(ROWS, []))
    assert not [name for name in drawn if name.startswith("Held-out")]
    with pytest.raises(SelectraError, match="the log is empty"):
        training_figure([], [])


def test_verdict_curves_go_from_nothing_found_to_all_found():
    replaced, logits = detector()
    drawn = lines(predictions_figure(replaced, logits))
    roc = drawn[f"ROC, area {roc_auc(replaced, logits):.4f}/discriminator"]
    assert roc[0] == [0, 0]
    assert roc[-1] == [1, 1]
    assert 500 < len(roc) < 5000  # 20,000 points are not to be told apart
    assert any("best F1" in name for name in drawn)


@pytest.mark.parametrize("replaced", [False, True])
def test_verdicts_of_one_class_can_be_drawn(replaced, tmp_path):
    figure = predictions_figure(np.full(50, replaced), np.linspace(-2, 2, 50))
    save_drawing(figure, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_files_are_drawings_of_the_kind_their_name_says(tmp_path):
    from matplotlib.image import imread

    save_drawing(training_figure(ROWS, EVALUATIONS), tmp_path / "run.png")
    save_drawing(predictions_figure(*detector(500)), tmp_path / "verdicts.svg")
    pixels = imread(tmp_path / "run.png")
    assert min(pixels.shape[:2]) > 500
    assert pixels.std() > 0.05  # not an empty sheet
    assert "<svg" in (tmp_path / "verdicts.svg").read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.png", "verdicts.svg"]


def test_unknown_kind_of_file_is_named_before_any_work():
    with pytest.raises(SelectraError, match=r"curves\.gif: unknown format; .* \.png"):
        check_drawing(Path("curves.gif"))


def test_missing_matplotlib_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(SelectraError, match=r"pip install 'spacy-selectra\[plots\]'"):
        save_drawing(training_figure(ROWS, []), tmp_path / "run.png")
    assert not list(tmp_path.iterdir())


def test_table_keeps_the_last_row_and_no_empty_column():
    table = markdown_table(ROWS, TRAINING_COLUMNS, 2).splitlines()
    assert len(table) == 4
    assert table[0].split()[1::2] == [name for name in TRAINING_COLUMNS if name in ROWS[0]]
    assert table[-1].split()[1] == "50"
    assert "5.00e-04" in table[-1]
    steps = [line.split()[1] for line in markdown_table(ROWS, ["step"], 9).splitlines()[2:]]
    assert steps == ["10", "20", "30", "40", "50"]


def test_directory_without_a_log(tmp_path):
    with pytest.raises(SelectraError, match=r"log\.jsonl is missing or empty"):
        read_history(tmp_path)
