"""Adam with layer-wise learning rate decay for the encoder and a separate rate for heads."""

# No postponed annotations here: confection reads those of registered functions at run time.

import math
from typing import Any

import torch
from thinc.api import Optimizer
from thinc.types import Generator
from torch import nn

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.layer_rates import parameter_groups

Rate = float | list[float] | Generator


class LayerwiseAdam(Optimizer):
    """A thinc optimizer that updates the whole encoder in one step.

    The learning rate of an encoder parameter at depth d (embeddings 0, layers 1 to L) is
    `learn_rate * layer_decay ** (L + 1 - d)`: the full rate for heads, one factor less for the top
    layer. See `finetuning.layer_rates.layer_rate` for the source, and for the known error in
    ELECTRA's own code.

    The encoder's gradients are clipped by their global norm. Gradients of thinc's layers are
    clipped per array, as in thinc. Biases and LayerNorm (all vectors) have no weight decay. Weights
    are not averaged.

    The encoder is updated by torch's fused AdamW, in one pass over the memory of weights, gradients
    and moments.
    """

    __slots__ = ["_modules", "head_learn_rate", "layer_decay", "weight_decay"]

    layer_decay: float
    weight_decay: float
    head_learn_rate: float | None
    _modules: dict[int, torch.optim.AdamW]

    def __init__(
        self,
        learn_rate: Any,
        *,
        layer_decay: float,
        head_learn_rate: Any,
        weight_decay: float,
        grad_clip: float,
        beta1: float,
        beta2: float,
        eps: float,
    ) -> None:
        if not 0 < layer_decay <= 1:
            raise SelectraError(f"layer_decay = {layer_decay} is not in (0, 1]")
        if weight_decay < 0 or grad_clip < 0:
            raise SelectraError("weight_decay and grad_clip cannot be negative")
        super().__init__(
            learn_rate,
            L2=weight_decay,
            beta1=beta1,
            beta2=beta2,
            eps=eps,
            grad_clip=grad_clip,
            use_averages=False,
        )
        self.layer_decay = layer_decay
        self.weight_decay = weight_decay
        self.head_learn_rate = None
        if head_learn_rate is not None:
            self._set_attr_or_schedule("head_learn_rate", head_learn_rate)
        self._modules = {}

    def __call__(
        self, key: tuple[int, str], weights: Any, gradient: Any, *, lr_scale: float = 1.0
    ) -> tuple[Any, Any]:
        """Update one array of a thinc layer (the head)."""
        rate = self.learn_rate
        self.L2 = self.weight_decay if weights.ndim > 1 else 0.0
        if self.head_learn_rate is not None:
            self.learn_rate = self.head_learn_rate
        try:
            return super().__call__(key, weights, gradient, lr_scale=lr_scale)
        finally:
            self.learn_rate, self.L2 = rate, self.weight_decay

    def step_module(self, key: int, encoder: Any) -> None:
        """Update all parameters of an encoder that have a gradient, and clear the gradients.

        Steps with infinite or NaN gradients are skipped.

        Args:
            key: id of the encoder's shim.
            encoder: torch module with `config.num_hidden_layers`.
        """
        trained = [p for p in encoder.parameters() if p.grad is not None]
        if not trained:
            return
        norm = torch.nn.utils.clip_grad_norm_(trained, self.grad_clip or math.inf)
        if math.isfinite(float(norm)):
            adam = self._adam_of(key, encoder)
            for group in adam.param_groups:
                group["lr"] = self.learn_rate * group["lr_scale"]
            adam.step()
        encoder.zero_grad(set_to_none=True)

    def _adam_of(self, key: int, encoder: nn.Module) -> torch.optim.AdamW:
        adam = self._modules.get(key)
        known = [] if adam is None else [id(p) for g in adam.param_groups for p in g["params"]]
        # loading other weights into a shim replaces its parameters
        if adam is None or set(known) != {id(p) for p in encoder.parameters() if p.requires_grad}:
            layers = int(encoder.config.num_hidden_layers)  # type: ignore[union-attr, arg-type]
            groups = parameter_groups(encoder, layers, 1.0, self.layer_decay, self.weight_decay)
            for group in groups:
                group["lr_scale"] = group["lr"]
            adam = torch.optim.AdamW(groups, betas=(self.b1, self.b2), eps=self.eps, fused=True)
            self._modules[key] = adam
        return adam


def layerwise_adam(
    learn_rate: Rate = 1e-4,
    *,
    layer_decay: float = 0.8,
    head_learn_rate: Rate | None = None,
    weight_decay: float = 0.01,
    grad_clip: float = 1.0,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-6,
) -> LayerwiseAdam:
    """`spacy-selectra.LayerwiseAdam.v1`; see `LayerwiseAdam`.

    Defaults are ELECTRA's for fine-tuning small models (Clark et al. 2020, appendix B:
    layer-wise decay 0.8, Adam epsilon 1e-6, betas 0.9 and 0.999, clipping at norm 1 as in
    its code), SELECTRA's learning rate of 1e-4, and weight decay 0.01 as in its pretraining.

    Args:
        learn_rate: learning rate, a number or a schedule such as `warmup_linear.v1`.
        layer_decay: factor from one layer to the one below it; 1 for none.
        head_learn_rate: learning rate of thinc layers, a number or a schedule; `learn_rate` if
            None.
        weight_decay: decoupled weight decay (AdamW), only for matrices.
        grad_clip: maximum gradient norm, see `LayerwiseAdam`; 0 for no clipping.
        beta1: decay of the first moment.
        beta2: decay of the second moment.
        eps: Adam's epsilon.

    Raises:
        SelectraError: a decay out of range.
    """
    return LayerwiseAdam(
        learn_rate,
        layer_decay=layer_decay,
        head_learn_rate=head_learn_rate,
        weight_decay=weight_decay,
        grad_clip=grad_clip,
        beta1=beta1,
        beta2=beta2,
        eps=eps,
    )


__all__ = ["LayerwiseAdam", "layerwise_adam"]
