"""Collecting the results of fine-tunings from `metrics.json` files, and published results.

table.py makes a Markdown table with notes, markdown.py inserts it into files, plot.py plots score
against speed, and html.py makes a page with both.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.report.published import PUBLISHED
from spacy_selectra.finetuning.results import METRICS_FILE
from spacy_selectra.util.files import read_json


class Result(NamedTuple):
    """One cell of the table.

    Attributes:
        model: display name.
        parameters: number of parameters with the head, None if unknown.
        column: data, metric, and the split if it is not the test split.
        mean: score, in [0, 1] except for correlations.
        std: standard deviation over trials, None if unknown.
        trials: number of trials, None if unknown.
        published: whether it was published and not measured here.
        encoder: path or hub id of the encoder, empty for published results.
        data: name of the data set.
        metric: name of the score.
        split: test or dev.
        size_bytes: bytes of the safetensors weights, None if unknown.
        words_per_second: speed of prediction on the split, None if unknown.
        device: "cpu" or "cuda", None if unknown.
        collapsed: number of trials whose model gives the same answer to every example.
        train_examples: number of training examples, None if unknown.
        split_examples: number of examples for the score, None if unknown.
        source: of a published result, empty for measured ones.
        note: reason to doubt a published result, may be empty.
    """

    model: str
    parameters: int | None
    column: str
    mean: float
    std: float | None
    trials: int | None
    published: bool
    encoder: str = ""
    data: str = ""
    metric: str = ""
    split: str = "test"
    size_bytes: int | None = None
    words_per_second: float | None = None
    device: str | None = None
    collapsed: int = 0
    train_examples: int | None = None
    split_examples: int | None = None
    source: str = ""
    note: str = ""


def collect(paths: Iterable[str | Path], names: Mapping[str, str] | None = None) -> list[Result]:
    """Results of all fine-tunings in directories and their subdirectories.

    Args:
        paths: directories and `metrics.json` files; duplicates are ignored.
        names: display names by path or hub id of the encoder; they take precedence over the
            names in the files.

    Raises:
        SelectraError: none found, a damaged file, two results for one cell, or one column
            with results on different data.
    """
    shown = {_normal(encoder): name for encoder, name in (names or {}).items()}
    results: dict[tuple[str, str], Result] = {}
    files: dict[tuple[str, str], Path] = {}
    digests: dict[str, tuple[str, Path]] = {}
    places = [Path(path) for path in paths]
    for file in _metrics_files(places):
        metrics = read_json(file)
        # only the summary of all trials has a mean
        if not isinstance(metrics, dict) or "mean" not in metrics:
            continue
        result = _measured(metrics, file)
        result = result._replace(model=shown.get(_normal(result.encoder), result.model))
        cell = (result.model, result.column)
        if cell in results:
            raise SelectraError(
                f"{file}: a second result of {result.model} on {result.column}, after "
                f"{files[cell]}; report only one of them"
            )
        digest = _digest(metrics, result.split)
        if digest is not None:
            other, where = digests.setdefault(result.column, (digest, file))
            if other != digest:
                raise SelectraError(
                    f"{file}: {result.column} was measured on other data than in {where}; "
                    "report them in two tables"
                )
        results[cell], files[cell] = result, file
    if not results:
        raise SelectraError(
            f"no {METRICS_FILE} of a fine-tuning in {', '.join(map(str, places)) or 'no directory'}"
        )
    return list(results.values())


def read_names(file: str | Path | None, pairs: Sequence[str] = ()) -> dict[str, str]:
    """Display names of encoders.

    Args:
        file: a JSON object of encoders and names.
        pairs: `ENCODER=NAME`, split at the last equals sign; they take precedence over the file.

    Raises:
        SelectraError: the file or a pair has another form.
    """
    names: dict[str, str] = {}
    if file is not None:
        content = read_json(file)
        if not isinstance(content, dict) or not all(
            isinstance(name, str) and name.strip() for name in content.values()
        ):
            raise SelectraError(f"{file}: not a JSON object of encoders and their names")
        names.update(content)
    for pair in pairs:
        encoder, _, name = pair.rpartition("=")
        if not encoder or not name.strip():
            raise SelectraError(f"--name {pair}: write it as ENCODER=NAME")
        names[encoder] = name
    return names


def check_names(pairs: Sequence[str], results: Sequence[Result]) -> None:
    """Check that all display names are for encoders with results, to find typing mistakes.

    Raises:
        SelectraError: one is not.
    """
    known = {_normal(result.encoder) for result in results if not result.published}
    for encoder in read_names(None, pairs):
        if _normal(encoder) not in known:
            raise SelectraError(
                f"--name: no result of '{encoder}' (there are: {', '.join(sorted(known))})"
            )


def published_for(results: Sequence[Result]) -> list[Result]:
    """Published results for the data and metrics that were measured on a test split."""
    columns = {result.column for result in results}
    return [
        Result(
            model=row.model,
            parameters=row.parameters,
            column=f"{row.data} {row.metric}",
            mean=row.mean,
            std=row.std,
            trials=None,
            published=True,
            data=row.data,
            metric=row.metric,
            source=row.source,
            note=row.note,
        )
        for row in PUBLISHED
        if f"{row.data} {row.metric}" in columns
    ]


def _metrics_files(places: Iterable[Path]) -> list[Path]:
    files: dict[Path, Path] = {}
    for place in places:
        for file in [place] if place.is_file() else sorted(place.rglob(METRICS_FILE)):
            files.setdefault(file.resolve(), file)
    return list(files.values())


def _measured(metrics: dict[str, Any], file: Path) -> Result:
    try:
        split = metrics["split"]
        column = f"{metrics['data']} {metrics['metric']}"
        trials = metrics["trials"]
        examples = metrics.get("examples") or {}
        return Result(
            model=metrics.get("name") or metrics["encoder"],
            parameters=metrics["parameters"],
            column=column if split == "test" else f"{column} ({split})",
            mean=_finite(metrics["mean"]),
            std=None if metrics["std"] is None else _finite(metrics["std"]),
            trials=len(trials),
            published=False,
            encoder=metrics["encoder"],
            data=metrics["data"],
            metric=metrics["metric"],
            split=split,
            size_bytes=metrics.get("size_bytes"),
            words_per_second=_speed(metrics.get("words_per_second")),
            device=metrics.get("device"),
            collapsed=sum(bool(trial.get("collapsed")) for trial in trials),
            train_examples=examples.get("train"),
            split_examples=examples.get(split),
        )
    except KeyError as error:
        raise SelectraError(f"{file}: no {error}; not written by finetune") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise SelectraError(f"{file}: not written by finetune ({error})") from error


def _finite(value: Any) -> float:
    if not math.isfinite(value):
        raise ValueError(f"a score of {value}")
    return float(value)


def _speed(value: Any) -> float | None:
    """A speed that can be shown on a logarithmic axis, or None."""
    return float(value) if value is not None and math.isfinite(value) and value > 0 else None


def _digest(metrics: dict[str, Any], split: str) -> str | None:
    """Fingerprint of the data of a score; None in older files."""
    data = (metrics.get("fingerprints") or {}).get("data") or {}
    return data.get(split)


def _normal(encoder: str) -> str:
    """The same spelling for `runs/a`, `./runs/a` and `runs/a/`; hub ids are unchanged."""
    return os.path.normpath(encoder)
