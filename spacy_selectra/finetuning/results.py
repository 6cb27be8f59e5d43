"""The output directory of a fine-tuning.

OUT/trial-K/model/        the trained model in transformers' format, with its tokenizer
OUT/trial-K/metrics.json  its scores
OUT/trial-K/speed.json    words per second on the test split
OUT/trial-K/log.jsonl     loss and development scores of each epoch
OUT/best/                 the model of the trial with the best development score
OUT/metrics.json          all trials, their mean and standard deviation
"""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spacy_selectra import __version__
from spacy_selectra.errors import OtherRunError, SelectraError
from spacy_selectra.util.files import atomic_directory, read_json, write_json

METRICS_FILE = "metrics.json"
SPEED_FILE = "speed.json"
BEST_DIRECTORY = "best"


def write_summary(
    directories: Sequence[Path], out: Path, metric: str, about: Mapping[str, Any]
) -> None:
    """Write `metrics.json` of all trials, and the model of the best one to `best/`.

    The best trial has the highest score on the development split; if several have, it is the
    first.

    Args:
        directories: of finished trials, in order.
        out: output directory.
        metric: the score by which trials are compared.
        about: further content of `metrics.json`.
    """
    import torch  # not at the top, as light modules import the file names
    import transformers

    trials: list[dict[str, Any]] = []
    for directory in directories:
        metrics = read_json(directory / METRICS_FILE)
        del metrics["configuration"]
        trials.append(metrics)
    split = "dev" if trials[0]["test"] is None else "test"
    scores = [trial[split][metric] for trial in trials]
    best = max(trials, key=lambda trial: (trial["dev"][metric], -trial["trial"]))
    source = directories[trials.index(best)] / "model"
    with atomic_directory(out / BEST_DIRECTORY) as directory:
        shutil.copytree(source, directory, dirs_exist_ok=True)
    speeds = [read_json(directory / SPEED_FILE) for directory in directories]
    rates = [speed["words_per_second"] for speed in speeds if speed["words_per_second"]]
    write_json(
        out / METRICS_FILE,
        {
            **about,
            "size_bytes": sum(path.stat().st_size for path in source.glob("*.safetensors")),
            "words_per_second": statistics.median(rates) if rates else None,
            "device": speeds[-1]["device"],
            "metric": metric,
            "split": split,
            "mean": statistics.fmean(scores),
            # no standard deviation for a single trial
            "std": statistics.stdev(scores) if len(scores) > 1 else None,
            "best_trial": best["trial"],
            "trials": trials,
            "versions": {
                "spacy-selectra": __version__,
                "torch": torch.__version__,
                "transformers": transformers.__version__,
            },
        },
    )


def trial_directory(out: Path, number: int) -> Path:
    """Directory of a trial; trials are counted from 1."""
    return out / f"trial-{number}"


def check_output(out: Path, identity: str, sources: Sequence[Path], *, replace: bool) -> None:
    """Check that trials would not overwrite other results or their own encoder.

    Args:
        out: output directory.
        identity: digest of the configuration.
        sources: directories of models that trials start from.
        replace: whether trials of other configurations may be deleted.

    Raises:
        OtherRunError: there are trials of another configuration.
        SelectraError: one of `sources` is a result in `out`.
    """
    own = [(out / BEST_DIRECTORY).resolve(), *(path.resolve() for path in out.glob("trial-*"))]
    for source in sources:
        if any(source.resolve().is_relative_to(path) for path in own):
            raise SelectraError(
                f"{source} is a result in {out} and would be overwritten; "
                "use another output directory"
            )
    stale = [] if replace else _stale_trials(out, identity)
    if stale:
        raise OtherRunError(
            f"{stale[0]}: a trial with other settings, data or encoder; "
            "use another output directory or delete this one"
        )


def remove_stale_results(out: Path, identity: str) -> None:
    """Delete trials of other configurations and their summary, and nothing else."""
    stale = _stale_trials(out, identity)
    for path in stale:
        shutil.rmtree(path)
    if stale:
        shutil.rmtree(out / BEST_DIRECTORY, ignore_errors=True)
        (out / METRICS_FILE).unlink(missing_ok=True)


def _stale_trials(out: Path, identity: str) -> list[Path]:
    found = sorted(out.glob(f"trial-*/{METRICS_FILE}"))
    return [path.parent for path in found if read_json(path).get("configuration") != identity]
