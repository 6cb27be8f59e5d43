"""One optimiser step: losses, gradients, clipping, update, over all processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spacy_selectra.encoder.precision import precision
from spacy_selectra.pretraining.distributed import World
from spacy_selectra.pretraining.guard import Guard
from spacy_selectra.pretraining.masking import MaskedBatch
from spacy_selectra.pretraining.model import PretrainingModel
from spacy_selectra.pretraining.optimizer import PretrainingOptimizer


@dataclass(frozen=True)
class StepReport:
    """What a step gave; reading it waits for the device.

    Attributes:
        values: (7,) float64 on the device: sums of the generator's, the discriminator's and
            the corrector's losses, right verdicts, masked pieces, pieces, and 1 if the batch was
            bad and nothing was learnt from it.
        arrived: on GPUs, when `values` are in host memory.
    """

    values: Tensor
    arrived: torch.cuda.Event | None = None

    def read(self) -> list[float]:
        """The values, once they are there."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return self.values.tolist()


class TrainingStep:
    """Makes steps of a run.

    Args:
        model: both networks, on their device.
        optimizer: of all parameters.
        guard: judges batches.
        mode: precision.
        max_norm: gradients of a greater global norm are scaled down to it.
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
        """Learn from a batch.

        Args:
            parts: the parts of this process's share of it, on the CPU.
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
