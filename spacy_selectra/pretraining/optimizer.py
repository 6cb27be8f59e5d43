"""AdamW as in ELECTRA, Muon for the matrices of the layers, and the learning-rate schedule."""

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

# Bias correction divides Adam's moments by 1 - beta^t; ELECTRA's Adam does not. From t = 2^24 on
# the divisor is exactly 1 for any usual beta (0.999^t rounds away after 37 thousand steps), and
# torch's step counter, a float32, cannot increase any further. So a start at this value turns bias
# correction off in the fused kernel.
_NO_CORRECTION = float(1 << 24)
# Muon is for matrices between hidden states. Embeddings, their projection and the heads, whose
# inputs or outputs are sparse or few, stay with Adam (Jordan et al. 2024).
_LAYERS = ".layers."


class PretrainingOptimizer:
    """Adam alone, or Adam and Muon for different parameters, as one optimiser.

    Attributes:
        parts: torch's optimisers; the first one is Adam.
        ratios: learning rate of each part, as a multiple of the schedule's.
    """

    def __init__(self, parts: list[torch.optim.Optimizer], ratios: list[float]) -> None:
        self.parts, self.ratios = parts, ratios
        self.learning_rate = 0.0

    def set_learning_rate(self, learning_rate: float) -> None:
        """Set the schedule's learning rate for the next step."""
        self.learning_rate = learning_rate
        for part, ratio in zip(self.parts, self.ratios, strict=True):
            for group in part.param_groups:
                group["lr"] = learning_rate * ratio

    def step(self, divisor: Tensor | None = None, skip: Tensor | None = None) -> None:
        """Update the weights.

        Args:
            divisor: scalar float32 that gradients are divided by. Adam's fused kernel does this,
                which saves a pass over all gradients.
            skip: scalar bool; if true, nothing changes. Adam reads it on the device, Muon has to
                wait until the host knows it.
        """
        for part in self.parts:
            if isinstance(part, torch.optim.AdamW):
                # the attributes through which GradScaler reaches the fused kernel
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
        """Delete the gradients."""
        for part in self.parts:
            part.zero_grad(set_to_none=True)

    def tensors(self, parameters: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
        """The optimizer's state by name, such as `exp_avg/<parameter>`."""
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
    """The optimiser of `settings.method` for `parameters`, with its state already allocated.

    Frozen parameters are left out. If there is a single parameter, it is an embedding table of
    which only some rows are trained. Then there is no weight decay, which would change the others.
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

    This is Loshchilov and Hutter 2019, algorithm 2, by default without bias correction. Vectors
    (biases and LayerNorms) have no weight decay.
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


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up and linear decay, with an optional warm restart.

    As in the original ELECTRA code, the decay starts at the first step, and the warm-up
    multiplies it: peak * (1 - done) * min(1, step / warmup). The first step counts as step 1
    of the warm-up; in the original its learning rate is 0. With a restart, each of the two parts
    has its own warm-up and decay to 0 (Loshchilov and Hutter 2017, section 3, with linear instead
    of cosine decay).

    Attributes:
        peak: the highest learning rate.
        max_steps: length of the run.
        warmup_steps: length of each warm-up.
        restart_step: first step of the second part, or None.
    """

    peak: float
    max_steps: int
    warmup_steps: int = 0
    restart_step: int | None = None

    def learning_rate(self, step: int, time_share: float = 0.0) -> float:
        """The learning rate of the next update.

        Args:
            step: number of updates so far.
            time_share: share of the time budget that is used, 0 without one; the decay follows
                it if it is larger than the share of steps.
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


# Muon: the momentum of each matrix is orthogonalised before a step (Jordan et al. 2024).


# Coefficients and number of iterations of Jordan et al. 2024: the slope at zero is as steep as
# possible, and singular values end up between 0.7 and 1.2.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
_EPS = 1e-7
# Gives steps the root mean square of Adam's (Liu et al. 2025, section 2.2), so that one learning
# rate suits matrices of all shapes.
_ADAMS_SIZE = 0.2


class Muon(torch.optim.Optimizer):
    """`torch.optim.Muon` with Nesterov momentum and steps as large as Adam's, made faster.

    Matrices of the same shape share batched products. bfloat16 is used only if the hardware
    supports it; torch's own Muon always uses it, and where it is emulated, a step takes longer
    than the forward and backward pass of a small batch.

    Args:
        parameters: matrices; `state[parameter]["momentum_buffer"]` is the momentum of each.
        lr: learning rate.
        weight_decay: decoupled, times the learning rate.
        momentum: decay of the mean of the gradients.
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
        """Update the weights; parameters without a gradient do not change."""
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
        """(n, rows, columns): Nesterov momentum of n parameters of the same shape."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        means = [self.state[p]["momentum_buffer"] for p in parameters]
        torch._foreach_lerp_(means, gradients, 1 - momentum)
        return torch.stack(torch._foreach_lerp(gradients, means, momentum))


def orthogonalised(matrices: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Orthogonalise each of n matrices by a Newton-Schulz iteration.

    Args:
        matrices: (n, rows, columns), float32 or wider.
        dtype: of the products; None chooses by device.

    Returns:
        Same shape and type; all singular values are about 1.
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
    # by the hardware alone, whatever the precision of the networks: the iteration tolerates errors
    native = resolve_precision("auto", matrices.device) == "bf16"
    return torch.bfloat16 if native and matrices.dtype == torch.float32 else matrices.dtype
