"""Telling a batch that must not be learnt from, without waiting for the device."""

from __future__ import annotations

import torch
from torch import Tensor

_DECAY = 0.98
# Of the weight that a mean over many batches has: reached after 35 of them.
_ENOUGH = 0.5


class Guard:
    """Judges each batch by its gradient's norm and by its loss against the best so far.

    A batch is bad if either is not finite, or if the loss exceeds `factor` times the lowest mean
    loss (exponential, over about 50 batches) that the run has had. A single such batch is an
    outlier; several in a row are divergence, and then the weights are to blame.

    Everything is computed on the device of the losses, and nothing is read back.

    Args:
        factor: see above; None for finite values only.
        device: where the losses are.
    """

    def __init__(self, factor: float | None, device: torch.device) -> None:
        self.factor = factor
        self._state = torch.tensor([0.0, 0.0, torch.inf], dtype=torch.float64, device=device)

    def judge(self, loss: Tensor, norm: Tensor) -> Tensor:
        """Whether the batch is bad: scalar bool. Good ones enter the mean."""
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
        """Go on from a `state`."""
        self._state = state.to(self._state)
