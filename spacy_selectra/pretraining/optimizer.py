"""Adam with decoupled weight decay, as ELECTRA uses it; Muon for the matrices of the layers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from spacy_selectra.pretraining.muon import Muon
from spacy_selectra.pretraining.settings import OptimizerSettings

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
