"""The report as a Markdown table with notes.

Measured models come first, then published ones, each by number of parameters, because an order by
quality would depend on the column.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from spacy_selectra.finetuning.report.collect import Result
from spacy_selectra.finetuning.report.published import FULL_SIZES, PUBLISHED


class Speed(NamedTuple):
    """Words per second of a model, and the device of the measurement."""

    words_per_second: float
    device: str


def markdown(results: Sequence[Result]) -> str:
    """The report in Markdown: the table, an empty line, and its notes as a list.

    There are columns for size and speed if at least one model has them.
    """
    columns = sorted({result.column for result in results})
    sources = {source: f"P{number}" for number, source in enumerate(sources_of(results), 1)}
    models: dict[tuple[bool, str], list[Result]] = {}
    for result in results:
        models.setdefault((result.published, result.model), []).append(result)
    ordered = sorted(models.items(), key=_by_size)
    figures = {
        "parameters": [_millions(parameters_of(of_model)) for _, of_model in ordered],
        "size (MB)": [_megabytes(of_model) for _, of_model in ordered],
        "words/s": [_words_per_second(of_model) for _, of_model in ordered],
    }
    shown = {
        "model": [
            _escaped(f"{model} (published)" if published else model)
            for (published, model), _ in ordered
        ]
    }
    shown |= {head: cells for head, cells in figures.items() if head == "parameters" or any(cells)}
    for column in columns:
        own = [[r for r in of_model if r.column == column] for _, of_model in ordered]
        best = max((r.mean for cell in own for r in cell if not r.published), default=None)
        shown[_escaped(column)] = [_scores(cell, best, sources) for cell in own]
    lines = [_line(list(shown)), "|" + "---|" * len(shown)]
    lines += [_line(cells) for cells in zip(*shown.values(), strict=True)]
    return "\n".join([*lines, "", *(f"- {_escaped(note)}" for note in notes_on(results))])


def parameters_of(results: Sequence[Result]) -> int | None:
    """Parameters of a model, as the (lower) median, because heads differ by task."""
    known = [result.parameters for result in results if result.parameters is not None]
    return statistics.median_low(known) if known else None


def speed_of(results: Sequence[Result]) -> Speed | None:
    """Median words per second of a model over its tasks.

    On the CPU if there is such a measurement, else on another device. Speeds on unknown devices
    are left out.
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


def _scores(results: Sequence[Result], best: float | None, sources: dict[str, str]) -> str:
    """Text of a cell: one score if measured, all different scores if published.

    The best measured score of a column is bold. Sources, or the number of trials if there are few,
    are in brackets.
    """
    marks: dict[str, list[str]] = {}
    scores: dict[str, Result] = {}
    for result in results:
        spread = "" if result.std is None else f" ± {result.std:.3f}"
        text = f"{_mean(result)}{spread}"
        scores.setdefault(text, result)
        if result.source:
            marks.setdefault(text, []).append(sources[result.source])
    cell = []
    for text, result in scores.items():
        mark = f"[{', '.join(marks[text])}]" if text in marks else _trials(result)
        bold = not result.published and result.mean == best
        cell.append(f"{f'**{text}**' if bold else text} {mark}".rstrip())
    return "; ".join(cell)


def _mean(result: Result) -> str:
    """Three decimals; published results may have four and are not rounded."""
    exact = f"{result.mean:.4f}"
    return exact if result.published and exact[-1] != "0" else f"{result.mean:.3f}"


def _trials(result: Result) -> str:
    few = result.trials is not None and result.trials < FULL_TRIALS
    return f"({result.trials})" if few and not result.published else ""


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
    """Escaped for Markdown, on one line and within one cell."""
    text = re.sub(r"([\\|*`])", r"\\\1", re.sub(r"\s+", " ", text))
    return text.replace("&", "&amp;").replace("<", "&lt;")


# Notes on comparing the results of the report.
# The number of trials in SELECTRA's model card; fewer are marked.
FULL_TRIALS = 5


def notes_on(results: Sequence[Result]) -> list[str]:
    """Notes on the results, from general to special, then sources; one or two sentences each."""
    measured = [result for result in results if not result.published]
    published = [result for result in results if result.published]
    return [
        *_on_scores(measured),
        *_on_speed(measured),
        *_on_published(published),
        *_on_columns(measured, published),
        *_other_metrics(measured, published),
        *_doubts(published),
        *(f"[P{number}] {source}" for number, source in enumerate(sources_of(results), 1)),
    ]


def sources_of(results: Sequence[Result]) -> list[str]:
    """Distinct sources of the published results, in order of first occurrence."""
    return list(dict.fromkeys(result.source for result in results if result.source))


def _on_scores(measured: Sequence[Result]) -> Iterator[str]:
    counts = sorted({result.trials for result in measured if result.trials is not None})
    if counts:
        number = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
        trials = "trial" if counts == [1] else "trials with different seeds"
        few = (
            f" A number in round brackets is the number of trials where it is below {FULL_TRIALS}."
            if counts[0] < FULL_TRIALS
            else ""
        )
        yield (
            f"Measured here: the mean of {number} {trials}; ± is the sample standard deviation "
            f"over trials. Bold: the best measured score of a column.{few}"
        )
    for result in measured:
        if result.collapsed:
            yield (
                f"{result.model}, {result.column}: {result.collapsed} of {result.trials} trials "
                "collapsed to one class and are counted."
            )
    if any(result.split == "dev" for result in measured):
        yield (
            "Columns marked (dev) are on the development split, which also chose the epoch: "
            "they are too high for a comparison with test scores."
        )


def _on_speed(measured: Sequence[Result]) -> Iterator[str]:
    if any(result.size_bytes is not None for result in measured):
        yield "Size: the weights as stored, with the head; 1 MB is 1,000,000 bytes."
    if any(result.words_per_second is not None for result in measured):
        yield (
            "words/s: prediction on the test split, the median over a model's tasks, on a CPU "
            "unless a device is named. Compare speeds of one machine only."
        )


def _on_published(published: Sequence[Result]) -> Iterator[str]:
    if published:
        yield (
            "Rows marked (published) were not measured here. They come from the sources in "
            "square brackets, from full training sets and other code; ± is what the source gives."
        )


def _on_columns(measured: Sequence[Result], published: Sequence[Result]) -> Iterator[str]:
    """Columns with different numbers of examples for measured and published results."""
    for column in sorted({result.column for result in measured}):
        own = [result for result in measured if result.column == column]
        trained = sorted({r.train_examples for r in own if r.train_examples is not None})
        tested = sorted({r.split_examples for r in own if r.split_examples is not None})
        if len(trained) > 1:
            yield (
                f"{column}: the measured models were trained on different amounts of data "
                f"({trained[0]:,} to {trained[-1]:,} examples)."
            )
        if not any(result.column == column for result in published):
            continue
        full = FULL_SIZES.get(own[0].data)
        here = " to ".join(f"{count:,}" for count in dict.fromkeys([*trained[:1], *trained[-1:]]))
        if not trained or full is None:
            yield (
                f"{column}: it is unknown whether measured and published models were trained "
                "on the same amount of data; do not compare them."
            )
        elif full.train is None:
            yield (
                f"{column}: the data set has no training split; measured models were trained on "
                f"{here} examples of other data, not comparable with published ones."
            )
        elif trained[0] < full.train:
            yield (
                f"{column}: measured models were trained on {here} examples, published ones on "
                f"{full.train:,}; not comparable."
            )
        if full is not None and tested and tested != [full.test]:
            sizes = " to ".join(f"{count:,}" for count in tested)
            yield f"{column}: measured on {sizes} test examples, published on {full.test:,}."


def _other_metrics(measured: Sequence[Result], published: Sequence[Result]) -> Iterator[str]:
    """Data sets with published results in another metric only."""
    if not published:
        return
    columns = {result.column for result in published}
    for result in {r.column: r for r in measured if r.split == "test"}.values():
        metrics = sorted({row.metric for row in PUBLISHED if row.data == result.data})
        if metrics and result.column not in columns:
            yield (
                f"{result.column}: published results on this data set are in another metric "
                f"({', '.join(metrics)}) and are left out."
            )


def _doubts(published: Sequence[Result]) -> Iterator[str]:
    numbers = {source: f"P{number}" for number, source in enumerate(sources_of(published), 1)}
    doubts: dict[tuple[str, str], dict[str, None]] = {}
    for result in published:
        if result.note:
            doubts.setdefault((result.column, result.note), {})[numbers[result.source]] = None
    for (column, note), sources in doubts.items():
        yield f"{column} [{', '.join(sources)}]: {note}."
