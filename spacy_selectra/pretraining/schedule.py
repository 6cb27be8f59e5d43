"""The learning rate over a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up and linear decay, with an optional warm restart.

    As in the original ELECTRA code the decay runs from the first step on, and the warm-up
    multiplies it: peak * (1 - done) * min(1, step / warmup). The first step counts as step 1
    of the warm-up, where the original would spend it at a learning rate of 0. With a restart,
    each of the two parts warms up and decays to 0 by itself (Loshchilov and Hutter 2017,
    section 3, with linear in place of cosine decay).

    Attributes:
        peak: the learning rate the schedule scales.
        max_steps: length of the run.
        warmup_steps: length of a warm-up.
        restart_step: first step of the second part, or None.
    """

    peak: float
    max_steps: int
    warmup_steps: int = 0
    restart_step: int | None = None

    def learning_rate(self, step: int, time_share: float = 0.0) -> float:
        """The rate of the update that follows `step` finished ones.

        Args:
            step: updates made so far, from 0.
            time_share: share of a wall-clock budget that is used up, 0 without one; the decay
                follows it where it is ahead of the steps.
        """
        begin, end = 0, self.max_steps
        if self.restart_step is not None:
            if step < self.restart_step:
                end = self.restart_step
            else:
                begin = self.restart_step
        done = max((step - begin) / (end - begin), time_share)
        warmup = min(1.0, (step - begin + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        return self.peak * max(0.0, 1.0 - done) * warmup
