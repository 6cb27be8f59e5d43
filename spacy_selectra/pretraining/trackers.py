"""Sending the rows of a run's log to TensorBoard and Weights & Biases.

A tracker that fails is dropped with a warning, and the run continues: log.jsonl and
evaluation.jsonl have all rows.
"""

from __future__ import annotations

import math
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.config import LoggingSettings
from spacy_selectra.util.extras import required
from spacy_selectra.util.files import read_json, write_json

TENSORBOARD_DIRECTORY = "tensorboard"
WANDB_FILE = "wandb.json"


class Tracker(Protocol):
    """A service that gets the rows of a log."""

    name: str

    def log(self, step: int, row: Mapping[str, float]) -> None:
        """Send the values of an optimiser step."""
        ...

    def rewind(self, step: int) -> None:
        """Discard what was sent of later steps, which will be repeated."""
        ...

    def close(self) -> None:
        """Send everything that is queued."""
        ...


class TensorBoardTracker:
    """Event files in `output/tensorboard`, one for each part of the run.

    Args:
        output: directory of the run.
        resume_step: step from which the run resumes; values of later steps are purged.
    """

    name = "TensorBoard"

    def __init__(self, output: Path, resume_step: int | None = None) -> None:
        required("tensorboard", "tracking", "logging.tensorboard")
        from torch.utils.tensorboard import SummaryWriter

        self._make_writer = SummaryWriter
        self._directory = str(output / TENSORBOARD_DIRECTORY)
        self._writer = self._open(resume_step)

    def log(self, step: int, row: Mapping[str, float]) -> None:
        """Write the values and flush, as rows are rare and a run may be killed."""
        for name, value in row.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def rewind(self, step: int) -> None:
        """Purge the values of later steps."""
        self._writer.close()
        self._writer = self._open(step)

    def close(self) -> None:
        """Close the event file."""
        self._writer.close()

    def _open(self, resume_step: int | None) -> Any:
        # TensorBoard purges this step as well, but `resume_step` is not repeated
        purge_step = None if resume_step is None else resume_step + 1
        return self._make_writer(self._directory, purge_step=purge_step)


class WandbTracker:
    """A run of Weights & Biases; a resumed run keeps its id, in `output/wandb.json`.

    The x axis is our `step`, because W&B's own counter cannot go back when steps are repeated. If
    the server cannot be reached, the run is kept on disk for `wandb sync`.

    Args:
        settings: names and mode.
        output: directory of the run.
        config: shown as the run's configuration.
    """

    name = "Weights & Biases"

    def __init__(self, settings: LoggingSettings, output: Path, config: Mapping[str, Any]) -> None:
        start = required("wandb:init", "tracking", "logging.wandb_project")
        wandb = import_module("wandb")
        mode = settings.wandb_mode or os.environ.get("WANDB_MODE") or None
        arguments: dict[str, Any] = {
            "project": settings.wandb_project,
            "entity": settings.wandb_entity,
            "name": settings.wandb_name,
            "id": _run_id(output, settings.wandb_project),
            "resume": "allow",
            "dir": str(output),
            "config": dict(config),
            # do not capture the command's output, and print nothing
            "settings": wandb.Settings(console="off", silent=True),
        }
        try:
            self._run = start(mode=mode, **arguments)
        except Exception as error:
            if mode in ("offline", "disabled"):
                raise
            _warn(
                f"{self.name} cannot be reached ({_reason(error)}); the run is logged offline, "
                f"`wandb sync` sends it later from {output / 'wandb'}"
            )
            wandb.teardown()  # else the failed attempt keeps the id in use
            self._run = start(mode="offline", **arguments)
        for pattern in ("train/*", "heldout/*"):
            self._run.define_metric(pattern, step_metric="step")

    def log(self, step: int, row: Mapping[str, float]) -> None:
        """Queue the values for sending."""
        self._run.log({"step": step, **row})

    def rewind(self, step: int) -> None:
        """Nothing to do: values of a repeated step replace the earlier ones."""

    def close(self) -> None:
        """Send what is queued."""
        self._run.finish()


class Trackers:
    """All trackers of a run, or none.

    Args:
        trackers: the trackers that get each row.
    """

    def __init__(self, *trackers: Tracker) -> None:
        self._trackers = list(trackers)

    def __enter__(self) -> Trackers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def log(
        self, step: int, row: Mapping[str, Any], group: Literal["train", "heldout"] = "train"
    ) -> None:
        """Send a row of log.jsonl or, as "heldout", of evaluation.jsonl.

        Values are named group/key. Values that are not finite numbers are left out.
        """
        figures = {
            f"{group}/{key}": float(value)
            for key, value in row.items()
            if key != "step" and isinstance(value, (int, float)) and math.isfinite(value)
        }
        self._each(lambda tracker: tracker.log(step, figures))

    def rewind(self, step: int) -> None:
        """Discard rows after `step`, as after a rollback to a checkpoint."""
        self._each(lambda tracker: tracker.rewind(step))

    def close(self) -> None:
        """Send everything that is queued, and stop tracking."""
        self._each(lambda tracker: tracker.close())
        self._trackers = []

    def _each(self, action: Callable[[Tracker], None]) -> None:
        for tracker in list(self._trackers):
            try:
                action(tracker)
            except Exception as error:  # no failure of a tracker should end the training
                self._trackers.remove(tracker)
                _warn(f"{tracker.name} failed and gets no more rows ({_reason(error)})")


def open_trackers(
    settings: LoggingSettings,
    output: Path,
    config: Mapping[str, Any],
    resume_step: int | None = None,
) -> Trackers:
    """The trackers that a configuration asks for; call it in the main process only.

    Args:
        settings: section `[logging]`.
        output: directory of the run; must exist.
        config: all settings, for Weights & Biases.
        resume_step: step of the checkpoint from which the run resumes; None for a new run.

    Raises:
        SelectraError: a package is missing.
    """
    openers: list[tuple[str, Callable[[], Tracker]]] = []
    if settings.tensorboard:
        openers.append((TensorBoardTracker.name, partial(TensorBoardTracker, output, resume_step)))
    if settings.wandb_project is not None:
        openers.append((WandbTracker.name, partial(WandbTracker, settings, output, config)))
    trackers: list[Tracker] = []
    for name, opener in openers:
        try:
            trackers.append(opener())
        except SelectraError:
            raise
        except Exception as error:
            _warn(f"{name} could not be started and is not used ({_reason(error)})")
    return Trackers(*trackers)


def _run_id(output: Path, project: str | None) -> str:
    """The id of this run in `project`, or a new one."""
    path = output / WANDB_FILE
    if path.is_file():
        known = read_json(path)
        if known.get("project") == project:
            return str(known["id"])
    found = secrets.token_hex(8)
    write_json(path, {"project": project, "id": found})
    return found


def _reason(error: Exception) -> str:
    """An error's message, on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr, flush=True)
