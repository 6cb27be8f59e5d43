"""Muon: momentum whose matrices are made orthogonal before each step (Jordan et al. 2024)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from spacy_selectra.encoder.precision import resolve_precision

# Coefficients and steps of Jordan et al. 2024: the slope at zero is as steep as it can be, and
# singular values end up between 0.7 and 1.2.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
_EPS = 1e-7
# Steps then have the root mean square of Adam's (Liu et al. 2025, section 2.2), so that one
# learning rate serves matrices of all shapes.
_ADAMS_SIZE = 0.2


class Muon(torch.optim.Optimizer):
    """`torch.optim.Muon` with Nesterov momentum and steps as large as Adam's, for many small
    matrices on any processor.

    Matrices of one shape go through each product together, and products are computed in bfloat16
    only where the device has it: torch's own always uses it, and where it is emulated a step of
    the optimiser takes longer than a small batch.

    Args:
        parameters: matrices; each has its momentum in `state[parameter]["momentum_buffer"]`.
        lr: learning rate.
        weight_decay: decoupled, times the learning rate.
        momentum: decay of the mean of gradients.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float, momentum: float
    ) -> None:
        defaults = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__(parameters, defaults)
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter] = {"momentum_buffer": torch.zeros_like(parameter)}

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Change the weights by their gradients; parameters without one stay."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    alike[parameter.shape].append(parameter)
            for shape, parameters in alike.items():
                steps = orthogonalised(self._directions(parameters, group["momentum"]))
                size = group["lr"] * _ADAMS_SIZE * math.sqrt(max(shape))
                torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(parameters, list(steps.unbind()), alpha=-size)

    def _directions(self, parameters: list[Tensor], momentum: float) -> Tensor:
        """(n, rows, columns): of each its gradient, looking ahead along the momentum."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        means = [self.state[p]["momentum_buffer"] for p in parameters]
        torch._foreach_lerp_(means, gradients, 1 - momentum)
        return torch.stack(torch._foreach_lerp(gradients, means, momentum))


def orthogonalised(matrices: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """The orthogonal matrix near each of (n, rows, columns), by a Newton-Schulz iteration.

    Args:
        matrices: float32 or wider.
        dtype: of the products; what suits the device if None.

    Returns:
        The same shape and type, singular values about 1.
    """
    dtype = dtype or _product_type(matrices)
    tall = matrices.shape[1] > matrices.shape[2]
    x = (matrices.transpose(1, 2) if tall else matrices).to(dtype)
    x = x / x.flatten(1).norm(dim=1).clamp(min=_EPS)[:, None, None]  # singular values of 1 at most
    a, b, c = _COEFFICIENTS
    for _ in range(_ITERATIONS):
        gram = x @ x.transpose(1, 2)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.transpose(1, 2) if tall else x).to(matrices.dtype)


def _product_type(matrices: Tensor) -> torch.dtype:
    # by what the processor can, not by the precision of the networks: it needs no accuracy
    native = resolve_precision("auto", matrices.device) == "bf16"
    return torch.bfloat16 if native and matrices.dtype == torch.float32 else matrices.dtype
