"""Adam with decoupled weight decay, as ELECTRA uses it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from spacy_selectra.pretraining.settings import OptimizerSettings

_STATE = ("step", "exp_avg", "exp_avg_sq")

# Adam divides its means by 1 - beta^t. ELECTRA's does not. From t = 2^24 on the divisor is
# exactly 1 for any usual beta (0.999^t rounds away after 37 thousand steps), and torch's
# step counter, a float32, cannot count on from there: so this start switches the
# correction off in the fused kernel.
_NO_CORRECTION = float(1 << 24)


def build_optimizer(
    parameters: Mapping[str, nn.Parameter], settings: OptimizerSettings
) -> torch.optim.AdamW:
    """Fused AdamW over `parameters`, with its state already allocated.

    The update is lr * (m / (sqrt(v) + eps) + decay * w), ELECTRA's `AdamWeightDecayOptimizer`
    (Loshchilov and Hutter 2019, algorithm 2, without bias correction unless asked for).
    Weight decay is on matrices only: vectors are biases and LayerNorms.
    """
    matrices = [value for value in parameters.values() if value.ndim >= 2]
    vectors = [value for value in parameters.values() if value.ndim < 2]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": settings.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        eps=settings.eps,
        fused=True,
    )
    start = 0.0 if settings.bias_correction else _NO_CORRECTION
    for parameter in parameters.values():
        optimizer.state[parameter] = {
            "step": torch.tensor(start, dtype=torch.float32, device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    return optimizer


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """The learning rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def optimizer_tensors(
    optimizer: torch.optim.Optimizer, parameters: Mapping[str, nn.Parameter]
) -> dict[str, Tensor]:
    """The optimiser's state by name: `exp_avg/<parameter>` and so on."""
    return {
        f"{kind}/{name}": optimizer.state[parameter][kind]
        for name, parameter in parameters.items()
        for kind in _STATE
    }
