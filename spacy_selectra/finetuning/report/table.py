"""The report as rows and cells, and as a Markdown table with its notes.

Measured models come first, then the published ones, each by number of parameters: the order
says nothing about quality, which would depend on the column chosen.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from spacy_selectra.finetuning.report.collect import Result
from spacy_selectra.finetuning.report.notes import FULL_TRIALS, notes_on, sources_of


class Speed(NamedTuple):
    """Words per second of a model, and the device they were measured on."""

    words_per_second: float
    device: str


class Score(NamedTuple):
    """A score as text.

    Attributes:
        text: mean and, where known, standard deviation.
        mark: number of trials or source, in brackets; empty if there is nothing to say.
        best: whether it is the best measured one of its column.
    """

    text: str
    mark: str
    best: bool


class Row(NamedTuple):
    """A model: its name, its figures as texts, and the scores of each column."""

    name: str
    published: bool
    figures: list[str]
    cells: list[list[Score]]


class Table(NamedTuple):
    """Everything that is shown, in order; `heads` are those of names and figures."""

    heads: list[str]
    columns: list[str]
    rows: list[Row]
    notes: list[str]


def build_table(results: Sequence[Result]) -> Table:
    """Rows, columns and notes of results.

    Size and speed have columns only where one of the models has them.
    """
    columns = sorted({result.column for result in results})
    sources = {source: f"P{number}" for number, source in enumerate(sources_of(results), 1)}
    best = {
        column: max(
            (r.mean for r in results if r.column == column and not r.published), default=None
        )
        for column in columns
    }
    models: dict[tuple[bool, str], list[Result]] = {}
    for result in results:
        models.setdefault((result.published, result.model), []).append(result)
    rows = []
    for (published, model), of_model in sorted(models.items(), key=_by_size):
        cells = [
            _scores([r for r in of_model if r.column == column], best[column], sources)
            for column in columns
        ]
        name = f"{model} (published)" if published else model
        figures = [
            _millions(parameters_of(of_model)),
            _megabytes(of_model),
            _words_per_second(of_model),
        ]
        rows.append(Row(name, published, figures, cells))
    heads = ["parameters", "size (MB)", "words/s"]
    kept = [0, *(n for n in (1, 2) if any(row.figures[n] for row in rows))]
    return Table(
        heads=["model", *(heads[n] for n in kept)],
        columns=columns,
        rows=[row._replace(figures=[row.figures[n] for n in kept]) for row in rows],
        notes=notes_on(results),
    )


def markdown(results: Sequence[Result]) -> str:
    """The report in Markdown: the table, an empty line, and its notes as a list."""
    table = build_table(results)
    heads = [*table.heads, *table.columns]
    lines = [_line([_escaped(head) for head in heads]), "|" + "---|" * len(heads)]
    for row in table.rows:
        scores = ["; ".join(_marked(score) for score in cell) for cell in row.cells]
        lines.append(_line([_escaped(row.name), *row.figures, *scores]))
    lines.append("")
    lines += [f"- {_escaped(note)}" for note in table.notes]
    return "\n".join(lines)


def parameters_of(results: Sequence[Result]) -> int | None:
    """Parameters of a model; its heads differ from task to task, so the (lower) median."""
    known = [result.parameters for result in results if result.parameters is not None]
    return statistics.median_low(known) if known else None


def speed_of(results: Sequence[Result]) -> Speed | None:
    """Median words per second of a model over its tasks.

    Of the CPU if there is such a measurement, else of another device. A speed of unknown
    device is left out.
    """
    by_device: dict[str, list[float]] = {}
    for result in results:
        if result.words_per_second is not None and result.device is not None:
            by_device.setdefault(result.device, []).append(result.words_per_second)
    if not by_device:
        return None
    device = "cpu" if "cpu" in by_device else min(by_device)
    return Speed(statistics.median(by_device[device]), device)


def _by_size(item: tuple[tuple[bool, str], list[Result]]) -> tuple[bool, float, str]:
    (published, model), results = item
    parameters = parameters_of(results)
    return published, float("inf") if parameters is None else parameters, model


def _scores(results: Sequence[Result], best: float | None, sources: dict[str, str]) -> list[Score]:
    """Scores of one cell: one if measured, one for every different figure if published."""
    marks: dict[str, list[str]] = {}
    scores: dict[str, Result] = {}
    for result in results:
        spread = "" if result.std is None else f" ± {result.std:.3f}"
        text = f"{_mean(result)}{spread}"
        scores.setdefault(text, result)
        if result.source:
            marks.setdefault(text, []).append(sources[result.source])
    return [
        Score(
            text=text,
            mark=f"[{', '.join(marks[text])}]" if text in marks else _trials(result),
            best=not result.published and result.mean == best,
        )
        for text, result in scores.items()
    ]


def _mean(result: Result) -> str:
    """Three decimals; a published figure keeps its fourth, which is not ours to round."""
    exact = f"{result.mean:.4f}"
    return exact if result.published and exact[-1] != "0" else f"{result.mean:.3f}"


def _trials(result: Result) -> str:
    few = result.trials is not None and result.trials < FULL_TRIALS
    return f"({result.trials})" if few and not result.published else ""


def _marked(score: Score) -> str:
    text = f"**{score.text}**" if score.best else score.text
    return f"{text} {score.mark}".rstrip()


def _millions(parameters: int | None) -> str:
    return "" if parameters is None else f"{parameters / 1e6:.3g} M"


def _megabytes(results: Sequence[Result]) -> str:
    known = [result.size_bytes for result in results if result.size_bytes is not None]
    return f"{statistics.median_low(known) / 1e6:.1f}" if known else ""


def _words_per_second(results: Sequence[Result]) -> str:
    speed = speed_of(results)
    if speed is None:
        return ""
    device = "" if speed.device == "cpu" else f" ({speed.device})"
    return f"{speed.words_per_second:,.0f}{device}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line and within one cell."""
    text = re.sub(r"([\\|*`])", r"\\\1", re.sub(r"\s+", " ", text))
    return text.replace("&", "&amp;").replace("<", "&lt;")
