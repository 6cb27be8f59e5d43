"""One table of models by tasks out of the `metrics.json` files of many fine-tunings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spacy_selectra.errors import SelectraError
from spacy_selectra.files import read_json
from spacy_selectra.finetuning.published import PUBLISHED

METRICS_FILE = "metrics.json"


class Result(NamedTuple):
    """One cell of the table.

    Attributes:
        model: name, directory or hub id.
        parameters: number of parameters, None if unknown.
        column: data, metric, and the split if it is not the test split.
        mean: score in [0, 1].
        std: standard deviation over trials, None if unknown.
        trials: number of trials, None if unknown.
        published: whether the figure is somebody else's.
    """

    model: str
    parameters: int | None
    column: str
    mean: float
    std: float | None
    trials: int | None
    published: bool


def collect(paths: Iterable[str | Path]) -> list[Result]:
    """Results of all fine-tunings in and below the given directories (or `metrics.json` files).

    Raises:
        SelectraError: none found, a damaged file, or two results for one cell.
    """
    results: dict[tuple[str, str], Result] = {}
    names = [Path(path) for path in paths]
    for name in names:
        files = [name] if name.is_file() else sorted(name.rglob(METRICS_FILE))
        for file in files:
            metrics = read_json(file)
            # the summary of trials has a mean, a single trial has not
            if not isinstance(metrics, dict) or "mean" not in metrics:
                continue
            result = _measured(metrics, file)
            if (result.model, result.column) in results:
                raise SelectraError(f"{file}: a second result of {result.model} on {result.column}")
            results[result.model, result.column] = result
    if not results:
        raise SelectraError(
            f"no {METRICS_FILE} of a fine-tuning in {', '.join(map(str, names)) or 'no directory'}"
        )
    return list(results.values())


def published_for(results: Sequence[Result]) -> list[Result]:
    """Published figures on the data and metrics that were measured."""
    columns = {result.column for result in results}
    return [
        Result(row.model, row.parameters, f"{row.data} {row.metric}", row.mean, row.std, None, True)
        for row in PUBLISHED
        if f"{row.data} {row.metric}" in columns
    ]


def markdown(results: Sequence[Result]) -> str:
    """A Markdown table, a row a model and a column a task; published rows say so.

    Measured models come first, then the published ones, both by their best score.
    """
    columns = sorted({result.column for result in results})
    rows: dict[tuple[str, bool], dict[str, Result]] = {}
    for result in results:
        rows.setdefault((result.model, result.published), {})[result.column] = result
    lines = [
        f"| model | parameters | {' | '.join(columns)} |",
        f"|---|---|{'---|' * len(columns)}",
    ]
    for (model, published), cells in sorted(
        rows.items(),
        key=lambda item: (item[0][1], -max(cell.mean for cell in item[1].values()), item[0][0]),
    ):
        parameters = next((cell.parameters for cell in cells.values()), None)
        scores = [_score(cells.get(column)) for column in columns]
        name = f"{model} (published)" if published else model
        lines.append(f"| {name} | {_millions(parameters)} | {' | '.join(scores)} |")
    return "\n".join(lines)


def _measured(metrics: dict[str, Any], file: Path) -> Result:
    try:
        column = f"{metrics['data']} {metrics['metric']}"
        if metrics["split"] != "test":
            column += f" ({metrics['split']})"
        return Result(
            model=metrics["encoder"],
            parameters=metrics["parameters"],
            column=column,
            mean=metrics["mean"],
            std=metrics["std"],
            trials=len(metrics["trials"]),
            published=False,
        )
    except KeyError as error:
        raise SelectraError(f"{file}: no {error}; not written by finetune") from error


def _score(result: Result | None) -> str:
    if result is None:
        return ""
    spread = "" if result.std is None else f" ± {result.std:.3f}"
    return f"{result.mean:.3f}{spread}"


def _millions(parameters: int | None) -> str:
    return "" if parameters is None else f"{parameters / 1e6:.0f} M"
