"""One optimiser step over all processes: losses, gradients, clipping, update."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spacy_selectra.encoder.precision import precision
from spacy_selectra.pretraining.masking import MaskedBatch
from spacy_selectra.pretraining.model import PretrainingModel
from spacy_selectra.pretraining.optimizer import PretrainingOptimizer
from spacy_selectra.util.distributed import World


@dataclass(frozen=True)
class StepReport:
    """Results of a step, read asynchronously.

    Attributes:
        values: (7,) float64: sums of the losses of generator, discriminator and corrective LM
            head; number of correctly classified pieces, of masked pieces, of all pieces; and 1
            if the batch was bad and skipped, else 0.
        arrived: on GPUs, the event after which `values` are in host memory.
    """

    values: Tensor
    arrived: torch.cuda.Event | None = None

    def read(self) -> list[float]:
        """The values; waits for the device."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return self.values.tolist()


class TrainingStep:
    """Makes the optimiser steps of a run.

    Args:
        model: both networks, on their device.
        optimizer: of all parameters.
        guard: detects bad batches.
        mode: precision.
        max_norm: global norm to which gradients are clipped.
        world: processes that share each batch.
    """

    def __init__(
        self,
        model: PretrainingModel,
        optimizer: PretrainingOptimizer,
        guard: Guard,
        mode: str,
        max_norm: float = 1.0,
        world: World | None = None,
    ) -> None:
        self.model, self.optimizer, self.guard = model, optimizer, guard
        self.mode, self.max_norm, self.world = mode, max_norm, world or World()
        self.parameters: list[nn.Parameter] = [p for p in model.parameters() if p.requires_grad]
        self._weights = torch.tensor(model.loss_weights, dtype=torch.float64, device=model.device)

    def __call__(self, parts: Sequence[MaskedBatch], learning_rate: float) -> StepReport:
        """Train on a batch.

        Args:
            parts: this process's share of the batch, one part per gradient accumulation step, on
                the CPU.
            learning_rate: the schedule's, for this step.
        """
        device = self.model.device
        masked = sum(len(part.positions) for part in parts)
        pieces = sum(len(part.input_ids) for part in parts)
        counts = torch.tensor([masked, pieces], dtype=torch.float64)
        if device.type == "cuda":
            counts = counts.pin_memory().to(device, non_blocking=True)
        self.world.sum_([counts])
        divisors = counts.clamp(min=1).to(torch.float32)
        sums = torch.zeros(4, dtype=torch.float64, device=device)
        with precision(self.mode, device):
            for part in parts:
                losses = self.model(part.to(device), divisors[0], divisors[1])
                losses.total.backward()
                sums += losses.figures()
        self.world.sum_([sums])
        bad = self._update(sums, divisors, learning_rate)
        return _report(torch.cat([sums, counts, bad[None].to(sums)]))

    def _update(self, sums: Tensor, divisors: Tensor, learning_rate: float) -> Tensor:
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        self.world.sum_(gradients)
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        masked, pieces = divisors.unbind()
        loss = (self._weights * sums[:3] / torch.stack([masked, pieces, masked])).sum()
        bad = self.guard.judge(loss, norm)
        self.optimizer.set_learning_rate(learning_rate)
        divisor = ((norm + 1e-6) / self.max_norm).clamp(min=1.0).to(torch.float32)
        self.optimizer.step(divisor, bad)
        self.optimizer.zero_grad()
        return bad


def _report(values: Tensor) -> StepReport:
    if values.device.type != "cuda":
        return StepReport(values)
    host = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    host.copy_(values, non_blocking=True)
    arrived = torch.cuda.Event()
    arrived.record()
    return StepReport(host, arrived)


# Detecting bad batches without waiting for the device.


_DECAY = 0.98
# Share of the full weight of the moving average from which it is used: after 35 batches.
_ENOUGH = 0.5


class Guard:
    """Detects bad batches by gradient norm and loss.

    A batch is bad if either is not finite, or if the loss exceeds `factor` times the lowest mean
    loss of the run (exponential moving average over about 50 batches). One bad batch is an
    outlier; several in a row mean that training diverges.

    Everything is computed on the device of the losses, and nothing is read back.

    Args:
        factor: see above; None to check for finite values only.
        device: of the losses.
    """

    def __init__(self, factor: float | None, device: torch.device) -> None:
        self.factor = factor
        self._state = torch.tensor([0.0, 0.0, torch.inf], dtype=torch.float64, device=device)

    def judge(self, loss: Tensor, norm: Tensor) -> Tensor:
        """Whether the batch is bad: scalar bool. Good batches update the mean."""
        mean, weight, lowest = self._state.unbind()
        loss = loss.to(torch.float64)
        bad = ~(torch.isfinite(norm) & torch.isfinite(loss))
        if self.factor is not None:
            bad = bad | (loss > self.factor * lowest)
        mean = _DECAY * mean + (1 - _DECAY) * loss
        weight = _DECAY * weight + (1 - _DECAY)
        settled = torch.where(weight > _ENOUGH, mean / weight, torch.inf)
        following = torch.stack([mean, weight, torch.minimum(lowest, settled)])
        self._state = torch.where(bad, self._state, following)
        return bad

    def state(self) -> Tensor:
        """(3,) float64: mean, its weight, lowest mean."""
        return self._state

    def load(self, state: Tensor) -> None:
        """Set the state that `state` returned."""
        self._state = state.to(self._state)
