"""Adam with decoupled weight decay, as ELECTRA uses it; Muon for the matrices of the layers; and
the learning rate over a run.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spacy_selectra.encoder.precision import resolve_precision
from spacy_selectra.pretraining.config import OptimizerSettings

# Adam divides its means by 1 - beta^t. ELECTRA's does not. From t = 2^24 on the divisor is
# exactly 1 for any usual beta (0.999^t rounds away after 37 thousand steps), and torch's
# step counter, a float32, cannot count on from there: so this start switches the
# correction off in the fused kernel.
_NO_CORRECTION = float(1 << 24)
# Matrices between hidden states. Embeddings, their projection and the heads, whose inputs
# or outputs are sparse or few, stay with Adam (Jordan et al. 2024).
_LAYERS = ".layers."


class PretrainingOptimizer:
    """One or two torch optimisers that step together.

    Attributes:
        parts: torch's optimisers; the first one is Adam.
        ratios: learning rate of each part, as a multiple of the schedule's.
    """

    def __init__(self, parts: list[torch.optim.Optimizer], ratios: list[float]) -> None:
        self.parts, self.ratios = parts, ratios
        self.learning_rate = 0.0

    def set_learning_rate(self, learning_rate: float) -> None:
        """The schedule's learning rate for the next step."""
        self.learning_rate = learning_rate
        for part, ratio in zip(self.parts, self.ratios, strict=True):
            for group in part.param_groups:
                group["lr"] = learning_rate * ratio

    def step(self, divisor: Tensor | None = None, skip: Tensor | None = None) -> None:
        """Change the weights by the gradients.

        Args:
            divisor: scalar float32 that gradients are divided by; Adam's kernel does so by
                itself, which saves a pass over all gradients.
            skip: scalar bool; where true, nothing changes. Adam decides on the device, Muon
                has to wait for the answer.
        """
        for part in self.parts:
            if isinstance(part, torch.optim.AdamW):
                # where GradScaler puts them, too
                vars(part)["grad_scale"] = divisor
                vars(part)["found_inf"] = None if skip is None else skip.to(torch.float32)
            elif skip is not None and bool(skip):
                continue
            elif divisor is not None:
                gradients = [
                    p.grad for g in part.param_groups for p in g["params"] if p.grad is not None
                ]
                torch._foreach_div_(gradients, divisor)
            part.step()

    def zero_grad(self) -> None:
        """Drop the gradients."""
        for part in self.parts:
            part.zero_grad(set_to_none=True)

    def tensors(self, parameters: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
        """The state by name: `exp_avg/<parameter>` and so on."""
        states = {p: state for part in self.parts for p, state in part.state.items()}
        return {
            f"{kind}/{name}": tensor
            for name, parameter in parameters.items()
            if parameter in states
            for kind, tensor in states[parameter].items()
        }


def build_optimizer(
    parameters: Mapping[str, nn.Parameter], settings: OptimizerSettings
) -> PretrainingOptimizer:
    """The optimiser of `settings.method` over `parameters`, with its state already allocated.

    Frozen parameters are left out. A single parameter alone is a table of embeddings of which
    some rows are trained: then nothing decays, as decay would change the other rows.
    """
    parameters = {name: p for name, p in parameters.items() if p.requires_grad}
    if len(parameters) == 1:
        settings = settings.model_copy(update={"weight_decay": 0.0})
    inner = {n: p for n, p in parameters.items() if _LAYERS in n and p.ndim == 2}
    if settings.method == "adam" or not inner:
        adam = _adam(list(parameters.values()), settings)
        optimizer = PretrainingOptimizer([adam], [1.0])
    else:
        rest = [parameter for name, parameter in parameters.items() if name not in inner]
        muon = Muon(
            inner.values(),
            lr=settings.matrix_learning_rate,
            weight_decay=settings.weight_decay,
            momentum=settings.momentum,
        )
        parts = [_adam(rest, settings), muon]
        ratio = settings.matrix_learning_rate / settings.learning_rate
        optimizer = PretrainingOptimizer(parts, [1.0, ratio])
    optimizer.set_learning_rate(settings.learning_rate)
    return optimizer


def _adam(parameters: list[nn.Parameter], settings: OptimizerSettings) -> torch.optim.Optimizer:
    """Fused AdamW: lr * (m / (sqrt(v) + eps) + decay * w), ELECTRA's `AdamWeightDecayOptimizer`.

    That is Loshchilov and Hutter 2019, algorithm 2, without bias correction unless asked for.
    Weight decay is on matrices only: vectors are biases and LayerNorms.
    """
    optimizer = torch.optim.AdamW(
        [
            {
                "params": [p for p in parameters if p.ndim >= 2],
                "weight_decay": settings.weight_decay,
            },
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
        ],
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        eps=settings.eps,
        fused=True,
    )
    start = 0.0 if settings.bias_correction else _NO_CORRECTION
    for parameter in parameters:
        optimizer.state[parameter] = {
            "step": torch.tensor(start, dtype=torch.float32, device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    return optimizer


# The learning rate over a run.


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


# Muon: momentum whose matrices are made orthogonal before each step (Jordan et al. 2024).


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
