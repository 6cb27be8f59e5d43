"""What a run writes down beside its checkpoints: logs, trackers, the line of progress."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spacy_selectra.pretraining.distributed import World
from spacy_selectra.pretraining.log import JsonLines, Window
from spacy_selectra.pretraining.model import PretrainingModel
from spacy_selectra.pretraining.settings import PretrainingSettings
from spacy_selectra.pretraining.tracking import Trackers
from spacy_selectra.pretraining.utilization import matmul_peak, step_flops
from spacy_selectra.progress import Progress

LOG_FILE = "log.jsonl"
EVALUATION_FILE = "evaluation.jsonl"


class Journal:
    """log.jsonl, evaluation.jsonl and whoever follows them; only the main process writes.

    Args:
        model: whose training it is.
        settings: the whole configuration.
        output: directory of the run.
        world: the processes.

    Attributes:
        trackers: get every row too.
    """

    def __init__(
        self, model: PretrainingModel, settings: PretrainingSettings, output: Path, world: World
    ) -> None:
        self.model, self.settings, self.world = model, settings, world
        self.log = JsonLines(output / LOG_FILE)
        self.evaluations = JsonLines(output / EVALUATION_FILE)
        self.trackers = Trackers()
        self._peak = 0.0

    def measure_peak(self) -> None:
        """Find out what the devices can compute, which utilization is a share of."""
        mode = self.settings.training.precision
        self._peak = matmul_peak(self.model.device, mode) * self.world.size

    def add(
        self, step: int, window: Window, learning_rate: float, tokens_seen: int, elapsed: float
    ) -> None:
        """A row for the steps of `window`, which end with `step`."""
        if not self.world.is_main:
            return
        row: dict[str, Any] = {"step": step, **window.row(self.settings.objective)}
        row["learning_rate"] = learning_rate
        row["tokens_seen"] = tokens_seen
        row["elapsed_seconds"] = round(elapsed, 3)
        row["utilization"] = round(self._utilization(window), 4)
        self.log.append(row)
        self.trackers.log(step, row)

    def add_evaluation(self, step: int, measures: Mapping[str, float]) -> None:
        """A row of evaluation.jsonl."""
        row = {"step": step, **measures}
        self.evaluations.append(row)
        self.trackers.log(step, row, "heldout")

    def has_evaluation(self, step: int) -> bool:
        """Whether the networks of `step` have been evaluated."""
        return any(row["step"] == step for row in self.evaluations.rows())

    def rewind(self, step: int) -> None:
        """Drop rows of later steps, which will be made again."""
        if self.world.is_main:
            self.log.rewind(step)
            self.evaluations.rewind(step)
            self.trackers.rewind(step)

    def progress(self, step: int, elapsed: float, quiet: bool) -> Progress:
        """How far the run is, by steps or, where it has a budget, by time."""
        training = self.settings.training
        if training.max_seconds is None:
            total, unit = training.max_steps - step, "steps"
        else:
            total, unit = training.max_seconds - elapsed, "seconds"
        return Progress("pretraining", total, unit, quiet=quiet)

    def note(self, step: int, window: Window) -> str:
        """The end of the line of progress."""
        if not window.pieces:
            return f"step {step}"
        means = window.row(self.settings.objective)
        return (
            f"step {step}  {means['tokens_per_second']:,.0f} tokens/s  "
            f"{self._utilization(window):.0%} of peak  "
            f"loss {means['loss']:.2f} (generator {means['mlm_loss']:.2f}, "
            f"discriminator {means['rtd_loss']:.3f})"
        )

    def warn(self, message: str) -> None:
        """Print a warning, once for all processes."""
        if self.world.is_main:
            print(f"warning: {message}", file=sys.stderr, flush=True)

    def _utilization(self, window: Window) -> float:
        length = window.pieces / max(1, window.sequences(self.settings.training.batch_size))
        work = step_flops(
            self.model.discriminator.config,
            self.model.generator.config,
            window.pieces,
            window.masked,
            length,
            corrected=self.model.corrector is not None,
        )
        return work / max(1e-9, window.seconds) / max(1.0, self._peak)
