"""A plot of score against speed, one point per model, as SVG.

matplotlib is optional and imported on use, without pyplot, so that there is no global state.
"""

from __future__ import annotations

import io
import statistics
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.report.collect import Result
from spacy_selectra.finetuning.report.table import Speed, speed_of
from spacy_selectra.util.extras import required


class Point(NamedTuple):
    """Words per second of a model, and its mean score over the common columns."""

    model: str
    words_per_second: float
    score: float


class Plot(NamedTuple):
    """The content of the plot.

    Attributes:
        points: by name of the model.
        columns: the columns that all models in the plot have; scores are means over them.
        device: device of all speeds.
        notes: sentences on the models that are not in the plot.
    """

    points: list[Point]
    columns: list[str]
    device: str
    notes: list[str]


def plot_of(results: Sequence[Result]) -> Plot:
    """Points of the measured models with a known speed.

    Speeds of different devices cannot be compared. If there are speeds on CPUs, only these are
    in the plot.

    Raises:
        SelectraError: no model has a speed, or the models have no column in common.
    """
    models: dict[str, list[Result]] = {}
    for result in results:
        if not result.published:
            models.setdefault(result.model, []).append(result)
    speeds = {model: speed for model in sorted(models) if (speed := speed_of(models[model]))}
    if not speeds:
        raise SelectraError(
            "nothing to plot: no measured model has words_per_second in its metrics.json; "
            "fine-tune again with a test split"
        )
    devices = {speed.device for speed in speeds.values()}
    device = "cpu" if "cpu" in devices else min(devices)
    drawn = {model: speed for model, speed in speeds.items() if speed.device == device}
    columns = sorted(
        set.intersection(*({result.column for result in models[model]} for model in drawn))
    )
    if not columns:
        raise SelectraError(
            f"nothing to plot: {', '.join(drawn)} have no column of the table in common"
        )
    points = [
        Point(model, speed.words_per_second, _mean_score(models[model], columns))
        for model, speed in drawn.items()
    ]
    missing = [model for model in sorted(models) if model not in drawn]
    published = any(result.published for result in results)
    return Plot(points, columns, device, _notes(missing, speeds, published))


def draw(plot: Plot) -> str:
    """The content of an .svg file; text is text, not paths.

    Raises:
        SelectraError: matplotlib is missing.
    """
    figure = required("matplotlib.figure:Figure", "plots", "drawing")(
        figsize=(7.5, 5.0), layout="constrained"
    )
    from matplotlib import rc_context

    axes = figure.add_subplot()
    speeds = [point.words_per_second for point in plot.points]
    axes.scatter(speeds, [point.score for point in plot.points])
    axes.set_xscale("log")
    for model, speed, score in plot.points:
        axes.annotate(
            model, (speed, score), (5, 5), textcoords="offset points", fontsize=8, parse_math=False
        )
    axes.set_xlabel(f"words per second ({plot.device}, logarithmic)")
    axes.set_ylabel("mean score")
    axes.grid(alpha=0.25)
    below = [f"Mean over {', '.join(plot.columns)}", *plot.notes]
    figure.supxlabel(
        "\n".join(textwrap.fill(line, 110, break_long_words=False) for line in below),
        fontsize=7,
        parse_math=False,
    )
    # reproducible: without a date, and with ids that are hashes with this salt
    file = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "selectra-report"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def _mean_score(results: Sequence[Result], columns: Sequence[str]) -> float:
    return statistics.fmean(result.mean for result in results if result.column in columns)


def _notes(missing: Sequence[str], speeds: dict[str, Speed], published: bool) -> list[str]:
    notes = []
    unknown = [model for model in missing if model not in speeds]
    if unknown:
        notes.append(f"Not drawn, speed not measured: {', '.join(unknown)}")
    elsewhere = [f"{model} ({speeds[model].device})" for model in missing if model in speeds]
    if elsewhere:
        notes.append(f"Not drawn, measured on another device: {', '.join(elsewhere)}")
    if published:
        notes.append("Published models are not drawn: their speed was not measured here")
    return notes
