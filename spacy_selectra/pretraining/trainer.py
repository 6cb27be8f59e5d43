"""The training loop."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from spacy_selectra.corpus.packed.loader import Prefetcher
from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.checkpoints import (
    Checkpoint,
    latest_checkpoint,
    prune,
    random_state,
    restore_random_state,
    save_checkpoint,
)
from spacy_selectra.pretraining.config import TrainingSettings
from spacy_selectra.pretraining.evaluation.evaluate import Heldout
from spacy_selectra.pretraining.masking import MaskedBatch
from spacy_selectra.pretraining.optimizer import Schedule
from spacy_selectra.pretraining.run_log import RunLogger, StepStats
from spacy_selectra.pretraining.step import StepReport, TrainingStep
from spacy_selectra.util.signals import Stopped, StopRequest

# Number of steps by which the host is ahead of a GPU, so that it does not wait for the step it has
# just started. It is fixed, so that reactions to a result do not depend on timing.
_STEPS_AHEAD = 2


@dataclass(frozen=True)
class _Pending:
    step: int
    report: StepReport
    learning_rate: float
    started: float


class Trainer:
    """The training loop, with logging, evaluation, checkpoints and rollbacks.

    On a CPU with the same number of threads and processes, a run without time budget that is
    stopped and resumed ends with the same weights, bit for bit, as an uninterrupted one.

    Args:
        make_step: trains on a batch; has the model, its optimiser and the processes.
        loader: endless masked batches, this process's share of one accumulation step each.
        schedule: of the learning rate.
        training: section `[training]`.
        output: directory of the run; only the main process writes there.
        run_log: log files and progress.
        heldout: text to evaluate on every `training.evaluate_every` steps.
        quiet: no progress on stderr.
    """

    def __init__(
        self,
        make_step: TrainingStep,
        loader: Prefetcher[MaskedBatch],
        schedule: Schedule,
        training: TrainingSettings,
        output: Path,
        run_log: RunLogger,
        heldout: Heldout | None = None,
        quiet: bool = False,
    ) -> None:
        self.make_step, self.loader, self.schedule = make_step, loader, schedule
        self.training, self.output, self.run_log = training, output, run_log
        self.heldout = heldout
        self.model, self.optimizer = make_step.model, make_step.optimizer
        self.guard, self.world = make_step.guard, make_step.world
        self.quiet = quiet or not self.world.is_main
        self.parameters = dict(self.model.named_parameters())
        self.window = StepStats()
        self.step = 0
        self.tokens_seen = 0
        self.failures = 0  # bad batches in a row
        self.rollbacks = 0
        self._pending: deque[_Pending] = deque()
        self._ahead = _STEPS_AHEAD if self.model.device.type == "cuda" else 0
        self._saved_step: int | None = None
        self._elapsed_before = 0.0
        self._started = self._saved_at = self._settled_at = time.monotonic()
        self._time_share, self._stopping, self._due = 0.0, False, False

    @property
    def elapsed(self) -> float:
        """Seconds of training, resumed parts included."""
        return self._elapsed_before + time.monotonic() - self._started

    @property
    def finished(self) -> bool:
        """Whether the step or time budget is used up."""
        return self.step >= self.training.max_steps or self._spent >= 1

    @property
    def _spent(self) -> float:
        """Share of the time budget that is used; 0 without a budget."""
        budget = self.training.max_seconds
        return 0.0 if budget is None else self.elapsed / budget

    def train(self, stop: StopRequest) -> bool:
        """Train to the end or until asked to stop, and write a checkpoint.

        Returns:
            Whether the run is finished.

        Raises:
            SelectraError: a file cannot be written, or training diverged too often.
        """
        self.model.train()
        if not self.finished:
            self.run_log.measure_peak()
        self._started = self._saved_at = time.monotonic()
        if self._saved_step is None:
            self.save()  # something to roll back to
        self._synchronise(stop)
        with self.run_log.progress(self.step, self.elapsed, self.quiet) as progress:
            if self.step and self._is_time_to_evaluate():
                self._evaluate(stop)
            last = self._is_last()
            while not last:
                if self._stopping:
                    self._settle()
                    if not self.failures:  # after bad batches, a rollback may come first
                        self.save()
                    return False
                before = self.elapsed
                self._train_step()
                self._synchronise(stop)
                last = self._is_last()
                evaluating, saving = self._is_time_to_evaluate(), self._is_time_to_save()
                if not self._settle(0 if last or evaluating or saving else self._ahead):
                    last = False
                    continue
                if last and self.window.pieces:
                    self._log(self.step, self.optimizer.learning_rate)
                if last or ((evaluating or saving) and not self.failures):
                    self.save()
                if evaluating:
                    self._evaluate(stop)
                amount = 1.0 if self.training.max_seconds is None else self.elapsed - before
                progress.update(amount, note=self.run_log.note(self.step, self.window))
        return True

    def save(self) -> None:
        """Write a checkpoint of this step, unless it exists.

        Raises:
            SelectraError: it cannot be written.
        """
        if self._saved_step == self.step:
            return
        random = random_state(self.world, self.model.device)
        if self.world.is_main:
            state = {
                "tokens_seen": self.tokens_seen,
                "elapsed_seconds": self.elapsed,
                "failures": self.failures,
                "rollbacks": self.rollbacks,
                "window": asdict(self.window),
                "loader": self.loader.state_dict(),
            }
            tensors = {
                "model": self.parameters,
                "optimizer": self.optimizer.tensors(self.parameters),
                "random": {**random, "guard": self.guard.state()},
            }
            save_checkpoint(self.output, self.step, tensors, state)
            prune(self.output, self.training.keep_checkpoints, self.step)
        self.world.wait()
        self._saved_step, self._saved_at = self.step, time.monotonic()

    def restore(self, checkpoint: Checkpoint | None) -> None:
        """Restore the state of a checkpoint, which only the main process has to pass."""
        state = self._restore_training_state(checkpoint)
        random = checkpoint.tensors["random"] if checkpoint is not None else {}
        restore_random_state(random, self.world, self.model.device, self.training.seed)
        self.loader.load_state_dict(state["loader"])
        self.rollbacks = state["rollbacks"]
        self._elapsed_before = state["elapsed_seconds"]
        self._started = time.monotonic()

    def _restore_training_state(self, checkpoint: Checkpoint | None) -> dict[str, Any]:
        ours = self.optimizer.tensors(self.parameters)
        guard = self.guard.state().clone()
        if checkpoint is not None:
            stored = checkpoint.tensors
            with torch.no_grad():
                for name, parameter in self.parameters.items():
                    parameter.copy_(stored["model"][name])
                for name, tensor in ours.items():
                    tensor.copy_(stored["optimizer"][name])
                guard.copy_(stored["random"]["guard"])
        with torch.no_grad():
            self.world.copy_from_main_([*self.parameters.values(), *ours.values(), guard])
        self.guard.load(guard)
        known = (checkpoint.step, checkpoint.state) if checkpoint is not None else None
        known = self.world.from_main(known)
        assert known is not None
        self.step, state = known
        self._saved_step = self.step
        self.tokens_seen, self.failures = state["tokens_seen"], state["failures"]
        self.window = StepStats(**state["window"])
        return state

    def _train_step(self) -> None:
        started = time.monotonic()
        rate = self.schedule.learning_rate(self.step, self._time_share)
        parts = [next(self.loader) for _ in range(self.training.gradient_accumulation_steps)]
        report = self.make_step(parts, rate)
        self.step += 1
        self._pending.append(_Pending(self.step, report, rate, started))

    def _settle(self, ahead: int = 0) -> bool:
        """Process results of steps; False if they caused a rollback to a checkpoint."""
        while len(self._pending) > ahead:
            pending = self._pending.popleft()
            *sums, masked, pieces, bad = pending.report.read()
            self.tokens_seen += int(pieces)
            if bad:
                if self._count_failure(pending.step):
                    return False
            else:
                self.failures = 0
                now = time.monotonic()
                seconds = now - max(pending.started, self._settled_at)
                self._settled_at = now
                self.window.add(sums, int(masked), int(pieces), seconds)
            if pending.step % self.training.log_every == 0 and self.window.pieces:
                self._log(pending.step, pending.learning_rate)
        return True

    def _count_failure(self, step: int) -> bool:
        """Count a bad batch; after too many in a row, roll back to the last checkpoint.

        Data position and random states are not rolled back, so the next batches are new ones.
        """
        self.failures += 1
        self.run_log.warn(f"loss or gradient out of bounds in step {step}; batch skipped")
        if self.failures < self.training.rollback_after:
            return False
        self.rollbacks += 1
        if self.rollbacks > self.training.max_rollbacks:
            raise SelectraError(
                f"{self.output}: training diverged {self.rollbacks} times (last in step "
                f"{step}); a lower optimizer.learning_rate or a longer warm-up may help"
            )
        self._pending.clear()
        self._restore_training_state(self.world.in_main(lambda: latest_checkpoint(self.output)))
        self.run_log.rewind(self.step)
        self.failures = 0
        self.run_log.warn(f"rolled back to step {self.step}")
        return True

    def _synchronise(self, stop: StopRequest) -> None:
        """Synchronise elapsed time and stop requests with the other processes."""
        saving = self.training.checkpoint_seconds
        due = saving is not None and time.monotonic() - self._saved_at > saving
        found = self.world.greatest([float(stop.requested), self._spent, float(due)])
        self._stopping, self._time_share, self._due = found[0] > 0, found[1], found[2] > 0

    def _is_last(self) -> bool:
        return self.step >= self.training.max_steps or self._time_share >= 1

    def _is_time_to_evaluate(self) -> bool:
        every = self.training.evaluate_every
        return every is not None and self.step % every == 0

    def _is_time_to_save(self) -> bool:
        return self._due or self.step % self.training.checkpoint_every == 0

    def _log(self, step: int, learning_rate: float) -> None:
        self.run_log.add(step, self.window, learning_rate, self.tokens_seen, self.elapsed)
        self.window = StepStats()

    def _evaluate(self, stop: StopRequest) -> None:
        if self.heldout is None or self.run_log.has_evaluation(self.step):
            return
        try:
            predictions = self.heldout.predictions(
                self.model.generator, self.model.discriminator, lambda _: stop.check()
            )
        except Stopped:
            return  # the checkpoint is written; the resumed run will evaluate
        self.run_log.add_evaluation(self.step, predictions.measures())
