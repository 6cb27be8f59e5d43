"""Score against speed, one point a model, as an SVG drawing.

matplotlib is an optional package and is imported only when something is drawn, without
pyplot, so that no window and no global state is touched. The same results give the same
bytes with the same matplotlib: no dates, fixed ids, default style.
"""

from __future__ import annotations

import io
import re
import statistics
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.report.collect import Result
from spacy_selectra.finetuning.report.table import Speed, speed_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SALT = "selectra-report"  # element ids are hashes of this and of what they name
_BLUE, _GREY = "#1b6ca8", "#595959"


class _Place(NamedTuple):
    """Where a label may stand, seen from its point; the offset is in points of 1/72 inch."""

    offset: tuple[float, float]
    horizontal: str
    vertical: str


_PLACES = (
    _Place((7, 0), "left", "center"),
    _Place((-7, 0), "right", "center"),
    _Place((0, 7), "center", "bottom"),
    _Place((0, -7), "center", "top"),
    # further and further away, where many models are alike
    *(_Place((7, sign * rows * 11), "left", "center") for rows in (2, 3, 4) for sign in (1, -1)),
    *(_Place((-7, sign * rows * 11), "right", "center") for rows in (2, 3, 4) for sign in (1, -1)),
)


class Point(NamedTuple):
    """A model: words per second, and its mean score over the common columns."""

    model: str
    words_per_second: float
    score: float


class Plot(NamedTuple):
    """What is drawn, and what is not.

    Attributes:
        points: models by name.
        columns: the columns every drawn model has; scores are means over them.
        device: device of all speeds.
        notes: sentences on the models that are not drawn.
    """

    points: list[Point]
    columns: list[str]
    device: str
    notes: list[str]


def plot_of(results: Sequence[Result]) -> Plot:
    """Points of the measured models whose speed is known.

    Speeds of different devices do not compare: where one was measured on a CPU, only those
    are drawn.

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
            "nothing to draw: no measured model has words_per_second in its metrics.json; "
            "fine-tune once more, with a test split"
        )
    devices = {speed.device for speed in speeds.values()}
    device = "cpu" if "cpu" in devices else min(devices)
    drawn = {model: speed for model, speed in speeds.items() if speed.device == device}
    columns = sorted(
        set.intersection(*({result.column for result in models[model]} for model in drawn))
    )
    if not columns:
        raise SelectraError(
            f"nothing to draw: {', '.join(drawn)} have no column of the table in common"
        )
    points = [
        Point(model, speed.words_per_second, _mean_score(models[model], columns))
        for model, speed in drawn.items()
    ]
    missing = [model for model in sorted(models) if model not in drawn]
    published = any(result.published for result in results)
    return Plot(points, columns, device, _notes(missing, speeds, published))


def draw(plot: Plot) -> str:
    """The drawing as an SVG document; text stays text.

    Raises:
        SelectraError: matplotlib is missing.
    """
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise SelectraError(
            f'drawing needs matplotlib ({error}): pip install "spacy-selectra[plots]"'
        ) from error
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a user's own style would change the drawing
        matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": _SALT})
        figure = Figure(figsize=(7.5, 5.0), layout="constrained")
        FigureCanvasAgg(figure)  # measures text, whatever backend is configured
        axes = figure.add_subplot()
        _draw_axes(axes, plot)
        below = [f"Mean over {', '.join(plot.columns)}", *plot.notes]
        below = [textwrap.fill(line, 110, break_long_words=False) for line in below]
        figure.supxlabel("\n".join(below), fontsize=7, color=_GREY, parse_math=False)
        figure.draw_without_rendering()  # fixes the layout that labels are placed in
        _draw_labels(axes, plot.points)
        stream = io.StringIO()
        keys = ("Date", "Creator", "Format", "Type")
        figure.savefig(stream, format="svg", metadata=dict.fromkeys(keys))
    text = stream.getvalue()
    # without the document type, which names a file on another machine
    return '<?xml version="1.0" encoding="utf-8"?>\n' + text[text.index("<svg") :]


def inline(svg: str) -> str:
    """The `<svg>` element of a drawing, for an HTML page: no prologue, no names of schemas."""
    head, rest = svg[svg.index("<svg") :].split(">", 1)
    return re.sub(r'\s+xmlns(:\w+)?="[^"]*"', "", head) + ">" + rest.rstrip()


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


def _draw_axes(axes: Axes, plot: Plot) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    speeds = [point.words_per_second for point in plot.points]
    axes.scatter(speeds, [point.score for point in plot.points], s=36, color=_BLUE, zorder=3)
    axes.set_xscale("log")
    # room for labels, and at least two ticks
    axes.set_xlim(min(speeds) / 2, max(speeds) * 2)
    axes.margins(y=0.2)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda speed, _: f"{speed:,.6g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(f"words per second ({plot.device}, logarithmic)")
    axes.set_ylabel("mean score")
    axes.grid(alpha=0.25)


def _draw_labels(axes: Axes, points: Sequence[Point]) -> None:
    """Names beside the points, each at the first place where it covers nothing else."""
    from matplotlib.transforms import Bbox

    spots = [axes.transData.transform((point.words_per_second, point.score)) for point in points]
    taken: list[Bbox] = [Bbox.from_bounds(x - 4, y - 4, 8, 8) for x, y in spots]
    for point in points:
        label = axes.annotate(
            point.model,
            (point.words_per_second, point.score),
            _PLACES[0].offset,
            textcoords="offset points",
            fontsize=8,
            parse_math=False,
        )
        # the last place is taken, come what may
        for place in _PLACES:
            label.set_position(place.offset)
            label.set(ha=place.horizontal, va=place.vertical)
            box = label.get_window_extent()
            inside = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1
            if inside and not any(box.overlaps(other) for other in taken):
                break
        taken.append(label.get_window_extent())
