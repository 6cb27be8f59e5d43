"""Logs of a run (log.jsonl, evaluation.jsonl, trackers, progress) and its FLOPs utilisation."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.precision import precision
from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.config import TrainingSettings
from spacy_selectra.pretraining.model import PretrainingModel
from spacy_selectra.pretraining.trackers import Trackers
from spacy_selectra.util.distributed import World
from spacy_selectra.util.files import write_text
from spacy_selectra.util.progress import Progress


@dataclass
class StepStats:
    """Sums over the steps since the last row of the log.

    Attributes:
        mlm: generator's losses over masked pieces.
        rtd: discriminator's losses over all pieces.
        correction: corrective LM head's losses over masked pieces.
        correct: number of pieces the discriminator classified correctly.
        masked: number of masked pieces.
        pieces: number of pieces.
        seconds: duration of the steps.
        steps: number of steps, without skipped batches.
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

    def row(self, weights: tuple[float, float, float]) -> dict[str, float]:
        """Means over the steps: losses per piece, accuracy, pieces per second.

        Args:
            weights: of the losses, see `PretrainingModel.loss_weights`.
        """
        mlm_weight, rtd_weight, correction_weight = weights
        mlm = self.mlm / max(1, self.masked)
        rtd = self.rtd / max(1, self.pieces)
        correction = self.correction / max(1, self.masked)
        loss = mlm_weight * mlm + rtd_weight * rtd
        found = {
            "loss": loss + correction_weight * correction,
            "mlm_loss": mlm,
            "rtd_loss": rtd,
            "rtd_accuracy": self.correct / max(1, self.pieces),
            "tokens_per_second": self.pieces / max(1e-9, self.seconds),
        }
        return found | ({"corrective_lm_loss": correction} if correction_weight else {})


class JsonLines:
    """A file of JSON lines, each with a `step`, to which rows are appended."""

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
                "checkpoints are unchanged, run the same command again to resume"
            ) from error

    def rows(self) -> list[dict[str, Any]]:
        """All complete rows; a last row that a killed process left incomplete is skipped."""
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
        """Delete the rows of all steps after `step`, which will be repeated."""
        if self.path.is_file():
            kept = [row for row in self.rows() if row["step"] <= step]
            write_text(self.path, "".join(json.dumps(row) + "\n" for row in kept))


LOG_FILE = "log.jsonl"
EVALUATION_FILE = "evaluation.jsonl"


class RunLogger:
    """log.jsonl, evaluation.jsonl and attached trackers; only the main process writes.

    Args:
        model: both networks.
        training: section `[training]`.
        output: directory of the run.
        world: the processes.
        trackers: get every row as well.
        start: step from which the run starts or resumes; rows of later steps are deleted.
    """

    def __init__(
        self,
        model: PretrainingModel,
        training: TrainingSettings,
        output: Path,
        world: World,
        trackers: Trackers,
        start: int = 0,
    ) -> None:
        self.model, self.training, self.world, self.trackers = model, training, world, trackers
        self.log = JsonLines(output / LOG_FILE)
        self.evaluations = JsonLines(output / EVALUATION_FILE)
        self._peak = 0.0
        if world.is_main:
            self.log.rewind(start)
            self.evaluations.rewind(start)

    def measure_peak(self) -> None:
        """Measure the peak FLOP/s of all devices, for the utilisation (MFU)."""
        self._peak = matmul_peak(self.model.device, self.training.precision) * self.world.size

    def add(
        self, step: int, window: StepStats, learning_rate: float, tokens_seen: int, elapsed: float
    ) -> None:
        """Log a row for the steps of `window`, of which `step` is the last."""
        if not self.world.is_main:
            return
        row: dict[str, Any] = {"step": step, **window.row(self.model.loss_weights)}
        row["learning_rate"] = learning_rate
        row["tokens_seen"] = tokens_seen
        row["elapsed_seconds"] = round(elapsed, 3)
        row["mfu"] = round(self._utilization(window), 4)
        self.log.append(row)
        self.trackers.log(step, row)

    def add_evaluation(self, step: int, measures: Mapping[str, float]) -> None:
        """Log a row of evaluation.jsonl."""
        row = {"step": step, **measures}
        self.evaluations.append(row)
        self.trackers.log(step, row, "heldout")

    def has_evaluation(self, step: int) -> bool:
        """Whether evaluation.jsonl has a row of `step`."""
        return any(row["step"] == step for row in self.evaluations.rows())

    def rewind(self, step: int) -> None:
        """Delete the rows of all steps after `step`, which will be repeated."""
        if self.world.is_main:
            self.log.rewind(step)
            self.evaluations.rewind(step)
            self.trackers.rewind(step)

    def progress(self, step: int, elapsed: float, quiet: bool) -> Progress:
        """A progress bar in steps, or in seconds if there is a time budget."""
        training = self.training
        if training.max_seconds is None:
            total, unit = training.max_steps - step, "steps"
        else:
            total, unit = training.max_seconds - elapsed, "seconds"
        return Progress("pretraining", total, unit, quiet=quiet)

    def note(self, step: int, window: StepStats) -> str:
        """Losses and speed, for the end of the progress bar."""
        if not window.pieces:
            return f"step {step}"
        means = window.row(self.model.loss_weights)
        return (
            f"loss {means['loss']:.2f} (generator {means['mlm_loss']:.2f}, "
            f"discriminator {means['rtd_loss']:.3f})  step {step}  "
            f"{means['tokens_per_second']:,.0f} tokens/s  "
            f"{self._utilization(window):.0%} of peak"
        )

    def warn(self, message: str) -> None:
        """Print a warning, in the main process only."""
        if self.world.is_main:
            print(f"warning: {message}", file=sys.stderr, flush=True)

    def _utilization(self, window: StepStats) -> float:
        length = window.pieces / max(1, window.steps * self.training.batch_size)
        work = step_flops(
            self.model.discriminator.config,
            self.model.generator.config,
            window.pieces,
            window.masked,
            length,
            corrected=self.model.corrector is not None,
        )
        return work / max(1e-9, window.seconds) / max(1.0, self._peak)


# Model FLOPs utilisation (MFU): useful FLOP/s as a share of the measured peak.


_PROBE_SECONDS = 0.2
_PROBE_SIZE = {"cpu": 768, "cuda": 8192}


def encoder_flops(config: EncoderConfig, length: float) -> float:
    """FLOPs of a forward pass for one piece in a sequence of `length` pieces.

    Matrix products only: 2 per weight, and 4 * length * hidden_size per layer for attention
    (Kaplan et al. 2020, section 2.1).
    """
    width = config.hidden_size
    weights = 4 * width * width + 2 * width * config.intermediate_size
    project = width * config.embedding_size if width != config.embedding_size else 0
    layers = config.num_hidden_layers * (2 * weights + 4 * length * width)
    return layers + 2 * project


def step_flops(
    large: EncoderConfig,
    small: EncoderConfig,
    pieces: float,
    masked: float,
    length: float,
    corrected: bool = False,
) -> float:
    """Useful FLOPs of a training step: forward, and twice as much backward.

    Args:
        large: sizes of the discriminator.
        small: sizes of the generator.
        pieces: number of pieces, without padding.
        masked: number of masked pieces.
        length: mean pieces of a sequence.
        corrected: whether there is a corrective LM head.
    """
    a_piece = encoder_flops(small, length) + encoder_flops(large, length)
    a_piece += 2 * large.hidden_size * (large.hidden_size + 1)
    heads = [small, large] if corrected else [small]
    a_mask = sum(
        2 * config.embedding_size * (config.hidden_size + config.vocab_size) for config in heads
    )
    return 3 * (pieces * a_piece + masked * a_mask)


def matmul_peak(device: torch.device, mode: str) -> float:
    """Peak FLOP/s of a large matrix product in the given precision, measured for 0.2 seconds."""
    size = _PROBE_SIZE.get(device.type, 768)
    best = 0.0
    with torch.no_grad(), precision(mode, device):
        left = torch.ones(size, size, device=device)
        if torch.is_autocast_enabled(device.type):
            left = left.to(torch.get_autocast_dtype(device.type))
        until = time.monotonic() + _PROBE_SECONDS
        while time.monotonic() < until or not best:
            _wait(device)
            start = time.perf_counter()
            torch.mm(left, left)
            _wait(device)
            best = max(best, 2 * size**3 / (time.perf_counter() - start))
    return best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
