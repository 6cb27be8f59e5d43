"""AdamW with layer-wise learning rates, warm-up and linear decay."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import torch
from torch import nn

from spacy_selectra.errors import SelectraError

_LAYER = re.compile(r"\blayers?\.(\d+)\.")
# our names and transformers'; BERT's pooler counts as head, as it was pretrained for another task
_HEAD = re.compile(r"^(model\.)?(head|classifier|pre_classifier|qa_outputs)\.|\.pooler\b")
_SHARED_LAYER = "albert_layers."


def parameter_depth(name: str, layers: int) -> int:
    """Depth of a parameter: 0 for embeddings, 1 to `layers` for layers, then the head.

    The single layer that ALBERT repeats counts as the last.
    """
    if _HEAD.search(name):
        return layers + 1
    if _SHARED_LAYER in name:
        return layers
    found = _LAYER.search(name)
    return int(found.group(1)) + 1 if found else 0


def freeze_layers(model: nn.Module, layers: int, frozen: int | None) -> None:
    """Freeze the embeddings and the first `frozen` of `layers` layers; None freezes nothing.

    Raises:
        SelectraError: `frozen` is greater than `layers`.
    """
    if frozen is None:
        return
    if frozen > layers:
        raise SelectraError(f"frozen_layers is {frozen}, but the encoder has {layers} layers")
    for name, parameter in model.named_parameters():
        if parameter_depth(name, layers) <= frozen:
            parameter.requires_grad_(False)


def layer_rate(learning_rate: float, decay: float, depth: int, layers: int) -> float:
    """Learning rate at a depth: `learning_rate * decay ** (layers + 1 - depth)`.

    The head has the full rate, the top layer `decay` times that, and so on down to the
    embeddings with `decay ** (layers + 1)`. Layer-wise decay is from Howard and Ruder 2018
    (ULMFiT), section 3.2, and Clark et al. 2020, appendix B. ELECTRA's code gives the head depth
    `layers + 2` and the top layer depth `layers`, so between them it decays twice, and all rates
    of the encoder are smaller than in the papers by a factor of `decay`. Here there is one decay
    per layer.
    """
    return learning_rate * decay ** (layers + 1 - depth)


def parameter_groups(
    model: nn.Module, layers: int, learning_rate: float, layer_decay: float, weight_decay: float
) -> list[dict[str, Any]]:
    """Parameters grouped by learning rate and weight decay.

    Vectors, that is biases and LayerNorms, have no weight decay (Devlin et al. 2019, appendix
    A.2, and the published code of BERT and ELECTRA).
    """
    groups: dict[tuple[int, bool], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups[parameter_depth(name, layers), parameter.ndim > 1].append(parameter)
    return [
        {
            "params": parameters,
            "lr": layer_rate(learning_rate, layer_decay, depth, layers),
            "weight_decay": weight_decay if decayed else 0.0,
        }
        for (depth, decayed), parameters in sorted(groups.items())
    ]


def make_optimizer(groups: list[dict[str, Any]]) -> torch.optim.AdamW:
    """Fused AdamW with epsilon 1e-6, as in SELECTRA and ELECTRA."""
    return torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-6, fused=True)


def warmup_linear(step: int, total: int, warmup: float) -> float:
    """Factor of the learning rate at `step` of `total`: linear warm-up, then linear decay to 0.

    As transformers' linear schedule, but the rate of the first step is not 0.
    """
    warm_steps = int(total * warmup)
    if step < warm_steps:
        return (step + 1) / warm_steps
    return (total - step) / max(1, total - warm_steps)
