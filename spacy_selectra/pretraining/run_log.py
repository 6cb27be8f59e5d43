"""What a run writes down beside its checkpoints: logs, trackers, the line of progress."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.config import ObjectiveSettings, PretrainingSettings
from spacy_selectra.pretraining.flops import matmul_peak, step_flops
from spacy_selectra.pretraining.model import PretrainingModel
from spacy_selectra.pretraining.trackers import Trackers
from spacy_selectra.util.distributed import World
from spacy_selectra.util.files import write_text
from spacy_selectra.util.progress import Progress


@dataclass
class StepStats:
    """Sums since the last row of the log.

    Attributes:
        mlm: generator's losses over masked pieces.
        rtd: discriminator's losses over all pieces.
        correction: corrector's losses over masked pieces.
        correct: pieces it judged right.
        masked: masked pieces.
        pieces: all pieces.
        seconds: time the steps took.
        steps: steps that were learnt from.
    """

    mlm: float = 0.0
    rtd: float = 0.0
    correction: float = 0.0
    correct: int = 0
    masked: int = 0
    pieces: int = 0
    seconds: float = 0.0
    steps: int = 0

    def add(self, sums: Sequence[float], masked: int, pieces: int, seconds: float) -> None:
        """Count one step; `sums` are `mlm`, `rtd`, `correction` and `correct`."""
        mlm, rtd, correction, correct = sums
        self.mlm += mlm
        self.rtd += rtd
        self.correction += correction
        self.correct += int(correct)
        self.masked += masked
        self.pieces += pieces
        self.seconds += seconds
        self.steps += 1

    def sequences(self, batch_size: int) -> int:
        """Sequences of these steps."""
        return self.steps * batch_size

    def row(self, objective: ObjectiveSettings) -> dict[str, float]:
        """Means over the window: losses a piece, share of right verdicts, pieces a second."""
        mlm = self.mlm / max(1, self.masked)
        rtd = self.rtd / max(1, self.pieces)
        correction = self.correction / max(1, self.masked)
        loss = objective.mlm_weight * mlm + objective.rtd_weight * rtd
        found = {
            "loss": loss + objective.corrective_lm_weight * correction,
            "mlm_loss": mlm,
            "rtd_loss": rtd,
            "rtd_accuracy": self.correct / max(1, self.pieces),
            "tokens_per_second": self.pieces / max(1e-9, self.seconds),
        }
        return found | (
            {"corrective_lm_loss": correction} if objective.corrective_lm_weight else {}
        )

    def to_dict(self) -> dict[str, Any]:
        """All sums, for a checkpoint."""
        return asdict(self)


class JsonLines:
    """A growing file of JSON objects, each with a `step`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row.

        Raises:
            SelectraError: the file cannot be written.
        """
        try:
            with open(self.path, "a", encoding="utf-8", newline="\n") as stream:
                stream.write(json.dumps(row) + "\n")
        except OSError as error:
            raise SelectraError(
                f"{self.path}: could not be written ({error.strerror}); "
                "checkpoints are untouched, run the same command again to go on"
            ) from error

    def rows(self) -> list[dict[str, Any]]:
        """All whole rows; one that a kill cut off is left out."""
        if not self.path.is_file():
            return []
        result = []
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                result.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return result

    def rewind(self, step: int) -> None:
        """Drop rows of steps that will be made again."""
        if self.path.is_file():
            kept = [row for row in self.rows() if row["step"] <= step]
            write_text(self.path, "".join(json.dumps(row) + "\n" for row in kept))


# What a run writes down beside its checkpoints: logs, trackers, the line of progress.


LOG_FILE = "log.jsonl"
EVALUATION_FILE = "evaluation.jsonl"


class RunLogger:
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
        self, step: int, window: StepStats, learning_rate: float, tokens_seen: int, elapsed: float
    ) -> None:
        """A row for the steps of `window`, which end with `step`."""
        if not self.world.is_main:
            return
        row: dict[str, Any] = {"step": step, **window.row(self.settings.objective)}
        row["learning_rate"] = learning_rate
        row["tokens_seen"] = tokens_seen
        row["elapsed_seconds"] = round(elapsed, 3)
        row["mfu"] = round(self._utilization(window), 4)
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

    def note(self, step: int, window: StepStats) -> str:
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

    def _utilization(self, window: StepStats) -> float:
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
