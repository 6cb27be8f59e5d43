"""The training loop."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spacy_selectra.corpus.prefetch import Prefetcher
from spacy_selectra.encoder.precision import precision
from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.checkpoints import (
    Checkpoint,
    latest_checkpoint,
    prune,
    save_checkpoint,
)
from spacy_selectra.pretraining.log import JsonLines, Window
from spacy_selectra.pretraining.masking import MaskedBatch, Masker
from spacy_selectra.pretraining.model import PretrainingModel
from spacy_selectra.pretraining.optimizer import build_optimizer
from spacy_selectra.pretraining.schedule import Schedule
from spacy_selectra.pretraining.settings import PretrainingSettings
from spacy_selectra.progress import Progress
from spacy_selectra.signals import StopRequest

LOG_FILE = "log.jsonl"
EVALUATION_FILE = "evaluation.jsonl"


class Trainer:
    """Trains both networks and keeps everything that is needed to go on later.

    A run measured in steps that is stopped and resumed gives, bit for bit, the weights of
    one that was not, on the same device with the same number of threads.

    Args:
        model: both networks, on their device.
        loader: endless batches; gives `batch_size / accumulation` sequences at a time.
        masker: draws the masks.
        settings: the whole configuration.
        output: directory of the run.
        evaluate: called every `training.evaluate_every` steps; its result goes to
            evaluation.jsonl.
        quiet: no progress on stderr.
    """

    def __init__(
        self,
        model: PretrainingModel,
        loader: Prefetcher,
        masker: Masker,
        settings: PretrainingSettings,
        output: Path,
        evaluate: Callable[[], dict[str, float]] | None = None,
        quiet: bool = False,
    ) -> None:
        self.model, self.loader, self.masker = model, loader, masker
        self.settings, self.output, self.evaluate, self.quiet = settings, output, evaluate, quiet
        training = settings.training
        self.parameters = model.parameters_by_name()
        self.optimizer = build_optimizer(self.parameters, settings.optimizer)
        self.schedule = Schedule(
            peak=settings.optimizer.learning_rate,
            max_steps=training.max_steps,
            warmup_steps=settings.schedule.warmup_steps,
            restart_step=settings.schedule.restart_step,
        )
        self.rng = torch.Generator().manual_seed(training.seed)
        self.log = JsonLines(output / LOG_FILE)
        self.evaluations = JsonLines(output / EVALUATION_FILE)
        self.window = Window()
        self.step = 0
        self.tokens_seen = 0
        self.failures = 0  # batches in a row without a finite gradient
        self.rollbacks = 0
        self._saved_step: int | None = None
        self._elapsed_before = 0.0
        self._started = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds of training, over all resumed parts."""
        return self._elapsed_before + time.monotonic() - self._started

    @property
    def finished(self) -> bool:
        """Whether the steps or the time are used up."""
        training = self.settings.training
        return self.step >= training.max_steps or self._time_share() >= 1

    def train(self, stop: StopRequest) -> bool:
        """Train until the end or until asked to stop; either way a checkpoint is left.

        Returns:
            Whether the run is finished.

        Raises:
            SelectraError: a file cannot be written, or training diverged too often.
        """
        training = self.settings.training
        self.model.train()
        if self._saved_step is None:
            self.save()  # something to roll back to
        self._started = time.monotonic()
        with self._progress() as progress:
            while not self.finished:
                if stop.requested:
                    self.save()
                    return False
                before = self.elapsed
                if not self._train_step():
                    continue
                if self.step % training.log_every == 0:
                    self._log()
                if training.evaluate_every and self.step % training.evaluate_every == 0:
                    self._evaluate()
                if self.step % training.checkpoint_every == 0:
                    self.save()
                amount = 1.0 if training.max_seconds is None else self.elapsed - before
                progress.update(amount, note=self._note())
        if self.window.pieces:
            self._log()
        self.save()
        return True

    def save(self) -> None:
        """Write a checkpoint of this moment, unless it is there already.

        Raises:
            SelectraError: it cannot be written.
        """
        if self._saved_step == self.step:
            return
        random = {"masks": self.rng.get_state(), "torch": torch.get_rng_state()}
        if self.model.device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(self.model.device)
        state = {
            "tokens_seen": self.tokens_seen,
            "elapsed_seconds": self.elapsed,
            "failures": self.failures,
            "rollbacks": self.rollbacks,
            "window": self.window.to_dict(),
            "loader": self.loader.state_dict(),
        }
        tensors = {
            "model": self.parameters,
            "optimizer": self.optimizer.tensors(self.parameters),
            "random": random,
        }
        save_checkpoint(self.output, self.step, tensors, state)
        self._saved_step = self.step
        prune(self.output, self.settings.training.keep_checkpoints)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint; rows of the logs that lie after it are dropped."""
        self._restore_training_state(checkpoint)
        random = checkpoint.tensors["random"]
        self.rng.set_state(random["masks"])
        torch.set_rng_state(random["torch"])
        if "cuda" in random and self.model.device.type == "cuda":
            torch.cuda.set_rng_state(random["cuda"], self.model.device)
        self.loader.load_state_dict(checkpoint.state["loader"])
        self.rollbacks = checkpoint.state["rollbacks"]
        self._elapsed_before = checkpoint.state["elapsed_seconds"]
        self._started = time.monotonic()

    def _restore_training_state(self, checkpoint: Checkpoint) -> None:
        stored = checkpoint.tensors["optimizer"]
        ours = self.optimizer.tensors(self.parameters)
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(checkpoint.tensors["model"][name])
            for name, tensor in ours.items():
                tensor.copy_(stored[name])
        self.step = self._saved_step = checkpoint.step
        self.tokens_seen = checkpoint.state["tokens_seen"]
        self.failures = checkpoint.state["failures"]
        self.window = Window(**checkpoint.state["window"])
        self.log.rewind(self.step)
        self.evaluations.rewind(self.step)

    def _train_step(self) -> bool:
        """One optimiser step; False if the batch was skipped."""
        start = time.monotonic()
        parts = [self._next_part() for _ in range(self.settings.training.accumulation)]
        masked = sum(len(part.positions) for part in parts)
        pieces = sum(len(part.input_ids) for part in parts)
        sums = torch.zeros(4, dtype=torch.float64, device=self.model.device)
        with precision(self.settings.training.precision, self.model.device):
            for part in parts:
                losses = self.model(part.to(self.model.device), masked, pieces)
                losses.total.backward()
                figures = losses.mlm, losses.rtd, losses.correction, losses.correct
                sums += torch.stack([figure.double() for figure in figures])
        norm = torch.nn.utils.clip_grad_norm_(
            self.parameters.values(), self.settings.optimizer.max_gradient_norm
        )
        if not self._usable(norm):
            self.optimizer.zero_grad()
            return False
        self.optimizer.set_learning_rate(self.learning_rate)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        self.failures = 0
        self.tokens_seen += pieces
        self.window.add(sums.tolist(), masked, pieces, time.monotonic() - start)
        return True

    @property
    def learning_rate(self) -> float:
        """Of the next step."""
        return self.schedule.learning_rate(self.step, self._time_share())

    def _next_part(self) -> MaskedBatch:
        batch = next(self.loader)
        return self.masker(batch.input_ids, batch.lengths, batch.type_ids, self.rng)

    def _time_share(self) -> float:
        budget = self.settings.training.max_seconds
        return 0.0 if budget is None else self.elapsed / budget

    def _usable(self, norm: Tensor) -> bool:
        """Whether the gradient is finite; if not too often, go back to the last checkpoint.

        The loader and the random states stay where they are, so that other batches follow.
        """
        if bool(torch.isfinite(norm)):
            return True
        training = self.settings.training
        self.failures += 1
        self._warn(f"gradient not finite after step {self.step}; batch skipped")
        if self.failures < training.rollback_after:
            return False
        self.rollbacks += 1
        if self.rollbacks > training.max_rollbacks:
            raise SelectraError(
                f"{self.output}: training diverged {self.rollbacks} times (last after step "
                f"{self.step}); a lower optimizer.learning_rate or a longer warm-up may help"
            )
        checkpoint = latest_checkpoint(self.output)
        assert checkpoint is not None
        self._restore_training_state(checkpoint)
        self.failures = 0
        self._warn(f"rolled back to step {self.step}")
        return False

    def _log(self) -> None:
        row: dict[str, Any] = {"step": self.step}
        row |= self.window.row(self.settings.objective)
        row["learning_rate"] = self.optimizer.learning_rate
        row["tokens_seen"] = self.tokens_seen
        row["elapsed_seconds"] = round(self.elapsed, 3)
        self.log.append(row)
        self.window = Window()

    def _evaluate(self) -> None:
        if self.evaluate is not None:
            self.evaluations.append({"step": self.step, **self.evaluate()})

    def _progress(self) -> Progress:
        training = self.settings.training
        if training.max_seconds is None:
            total, unit = training.max_steps - self.step, "steps"
        else:
            total, unit = training.max_seconds - self.elapsed, "seconds"
        return Progress("pretraining", total, unit, quiet=self.quiet)

    def _note(self) -> str:
        if not self.window.pieces:
            return f"step {self.step}"
        means = self.window.row(self.settings.objective)
        return (
            f"step {self.step}  {means['tokens_per_second']:,.0f} tokens/s  "
            f"loss {means['loss']:.2f} (generator {means['mlm_loss']:.2f}, "
            f"discriminator {means['rtd_loss']:.3f})"
        )

    @staticmethod
    def _warn(message: str) -> None:
        print(f"warning: {message}", file=sys.stderr, flush=True)
