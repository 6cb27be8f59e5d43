"""Figures and tables of a run's history and of a discriminator's predictions.

matplotlib is optional and imported on use, without pyplot, so that there is no global state.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.evaluation.metrics import (
    average_precision,
    best_f1,
    calibration_error,
    probability,
    reliability,
    roc_auc,
)
from spacy_selectra.pretraining.run_log import EVALUATION_FILE, LOG_FILE, JsonLines
from spacy_selectra.util.extras import required
from spacy_selectra.util.files import atomic_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


FORMATS = (".png", ".svg", ".pdf")
_MAX_POINTS = 2000  # more cannot be distinguished in a figure
_FIRST, _SECOND, _GREY = "#1b6ca8", "#c4452f", "#8a8a8a"

Row = Mapping[str, Any]


def check_drawing(path: Path) -> None:
    """Check that a figure can be saved to `path`, to fail before long work.

    Raises:
        SelectraError: matplotlib is missing, or the format is unknown.
    """
    if path.suffix.lower() not in FORMATS:
        raise SelectraError(
            f"{path}: unknown format; the file name must end in one of {', '.join(FORMATS)}"
        )
    _new_figure(1, 1)


def save_drawing(figure: Figure, path: Path) -> None:
    """Save a figure in the format of the file name.

    Raises:
        SelectraError: as `check_drawing`, or the file cannot be written.
    """
    check_drawing(path)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format=path.suffix.lower()[1:])


def predictions_figure(replaced: np.ndarray, logits: np.ndarray) -> Figure:
    """ROC, precision and recall, calibration and distribution of probabilities.

    Args:
        replaced: (N,) bool.
        logits: (N,) float, logits of "replaced".
    """
    library = required("sklearn.metrics")
    with warnings.catch_warnings():  # about a class without examples; its curve stays empty
        warnings.simplefilter("ignore")
        rates, found, _ = library.roc_curve(replaced, logits, drop_intermediate=False)
        precision, recall, _ = library.precision_recall_curve(replaced, logits)
    probabilities = probability(logits)
    figure = _new_figure(10, 8.5)
    roc, recalls, calibration, scores = figure.subplots(2, 2).flat

    thin = _thinned(len(rates))
    roc.plot(rates[thin], found[thin], color=_FIRST, label="discriminator")
    roc.plot([0, 1], [0, 1], color=_GREY, linestyle=":", linewidth=1)
    _label(roc, f"ROC, area {roc_auc(replaced, logits):.4f}", "false positive rate", "recall")

    thin = _thinned(len(recall) - 1)  # the last point, without predictions, is 1 by convention
    recalls.plot(recall[thin], precision[thin], color=_FIRST)
    base_rate = replaced.mean()
    recalls.axhline(base_rate, color=_GREY, linestyle=":", linewidth=1, label="base rate")
    if best := best_f1(replaced, logits):
        name = f"best F1 {best['f1']:.3f} over {best['threshold']:.2f}"
        recalls.plot(best["recall"], best["precision"], "o", color=_SECOND, label=name)
    recalls.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    area = average_precision(replaced, logits)
    _label(recalls, f"Average precision {area:.4f}", "recall", "precision")
    recalls.legend()

    counts, observed, expected = reliability(replaced, probabilities)
    filled = counts > 0
    shares = expected[filled] / counts[filled], observed[filled] / counts[filled]
    calibration.plot(*shares, marker="o", color=_FIRST)
    calibration.plot([0, 1], [0, 1], color=_GREY, linestyle=":", linewidth=1)
    error = calibration_error(replaced, probabilities)
    _label(calibration, f"Calibration error {error:.4f}", "probability", "share replaced")

    edges = np.linspace(0, 1, 41)
    for name, part, color in (
        ("original", probabilities[~replaced], _FIRST),
        ("replaced", probabilities[replaced], _SECOND),
    ):
        heights = np.histogram(part, edges)[0] / max(1, len(part))
        scores.stairs(heights, edges, color=color, fill=True, alpha=0.45, label=name)
    scores.set_yscale("log")
    _label(scores, "Probability of being replaced", "probability", "share of pieces")
    scores.legend()
    return figure


def training_figure(rows: Sequence[Row], evaluations: Sequence[Row]) -> Figure:
    """Losses, accuracy, area under the ROC curve, learning rate and speed by optimiser step.

    Args:
        rows: of log.jsonl.
        evaluations: of evaluation.jsonl; may be empty.

    Raises:
        SelectraError: no row in either.
    """
    if not rows and not evaluations:
        raise SelectraError("the log is empty; a row is written every training.log_every steps")
    figure = _new_figure(13, 7.5)
    generator, discriminator, accuracy, area, rate, speed = figure.subplots(2, 3).flat
    lines = (
        (generator, rows, "mlm_loss", "training", _FIRST),
        (generator, evaluations, "mlm_loss", "held-out", _SECOND),
        (generator, rows, "corrective_lm_loss", "corrective LM head, training", _GREY),
        (discriminator, rows, "rtd_loss", "training", _FIRST),
        (discriminator, evaluations, "rtd_loss", "held-out", _SECOND),
        (accuracy, rows, "rtd_accuracy", "training", _FIRST),
        (accuracy, evaluations, "accuracy", "held-out", _SECOND),
        (area, evaluations, "auc", "area under the ROC curve", _SECOND),
        (area, evaluations, "average_precision", "average precision", _GREY),
        (rate, rows, "learning_rate", "training", _FIRST),
        (speed, rows, "tokens_per_second", "training", _FIRST),
    )
    for axes, logged, key, name, color in lines:
        found = [(row["step"], row[key]) for row in logged if isinstance(row.get(key), int | float)]
        if found:
            marker = "." if len(found) < 30 else ""
            axes.plot(*zip(*found, strict=True), color=color, label=name, marker=marker)
    _label(generator, "Generator's loss", "step", "nats per masked piece")
    _label(discriminator, "Discriminator's loss", "step", "nats per piece")
    _label(accuracy, "Discriminator's accuracy", "step", "share of pieces")
    _label(area, "Held-out text", "step", "area")
    _label(rate, "Learning rate", "step", "")
    _label(speed, "Speed", "step", "pieces per second")
    speed.set_ylim(bottom=0)
    for axes in (generator, discriminator, accuracy, area):
        if axes.lines:
            axes.legend()
        else:
            axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center")
    return figure


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.grid(alpha=0.25)


def _thinned(size: int) -> np.ndarray:
    """At most `_MAX_POINTS` indices below `size`, first and last among them."""
    return np.unique(np.linspace(0, size - 1, min(size, _MAX_POINTS)).round().astype(np.int64))


def _new_figure(width: float, height: float) -> Figure:
    figure = required("matplotlib.figure:Figure", "plots", "drawing")
    return figure(figsize=(width, height), dpi=110, layout="constrained")


# The logs of a run.


TRAINING_COLUMNS = (
    "step",
    "loss",
    "mlm_loss",
    "rtd_loss",
    "corrective_lm_loss",
    "rtd_accuracy",
    "learning_rate",
    "tokens_per_second",
    "mfu",
    "tokens_seen",
    "elapsed_seconds",
)
# Names before version 0.2.
_OLD_COLUMNS = {"utilization": "mfu", "correction_loss": "corrective_lm_loss"}
HELDOUT_COLUMNS = (
    "step",
    "accuracy",
    "precision",
    "recall",
    "f1",
    "auc",
    "average_precision",
    "rtd_loss",
    "mlm_loss",
    "mlm_accuracy",
)


class History(NamedTuple):
    """Rows of log.jsonl and of evaluation.jsonl, in order of their steps."""

    train: list[dict[str, Any]]
    heldout: list[dict[str, Any]]


def read_history(directory: Path) -> History:
    """Read the logs in a pretraining output, whether or not the run is finished.

    Raises:
        SelectraError: log.jsonl is missing or empty.
    """
    train = [
        {_OLD_COLUMNS.get(name, name): value for name, value in row.items()}
        for row in JsonLines(directory / LOG_FILE).rows()
    ]
    if not train:
        raise SelectraError(
            f"{directory}: {LOG_FILE} is missing or empty; give the output directory of a "
            "pretraining run that has done at least training.log_every steps"
        )
    return History(train, JsonLines(directory / EVALUATION_FILE).rows())


def markdown_table(rows: Sequence[Row], columns: Sequence[str], limit: int) -> str:
    """At most `limit` evenly spaced rows, including the last, as a Markdown table.

    Columns without values are left out.
    """
    rows = _spaced(rows, limit)
    columns = [name for name in columns if any(name in row for row in rows)]
    cells = [columns, *([_cell(name, row.get(name)) for name in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|")
    return "\n".join(lines)


def _spaced(rows: Sequence[Row], limit: int) -> list[Row]:
    if len(rows) <= limit:
        return list(rows)
    # counted back from the last row, the end of the run
    return [rows[len(rows) - 1 - i * len(rows) // limit] for i in reversed(range(limit))]


def _cell(name: str, value: Any) -> str:
    if not isinstance(value, (int, float)):
        return ""
    if name == "learning_rate":
        return f"{value:.2e}"
    if isinstance(value, int) or name in ("tokens_per_second", "elapsed_seconds"):
        return f"{value:,.0f}"
    return f"{value:.4f}"
