"""Deeper networks from shallow ones, and a shallow generator from a discriminator."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from spacy_selectra.encoder.heads import Discriminator, Generator

_LAYER = re.compile(r"encoder\.layers\.(\d+)\.(.*)")
_NORMS = ("attention_norm", "output_norm")
_OUTPUTS = ("attention_output", "output")

Network = TypeVar("Network", Discriminator, Generator)


@torch.no_grad()
def stack_layers(model: Network, times: int, method: str = "copies", **dropouts: float) -> Network:
    """The same network with `times` as many layers, and other dropout.

    copies: the whole stack upon itself. Gong et al. 2019, "Efficient training of BERT by
    progressively stacking", section 4: attention of a layer resembles that of the layers above it,
    so copies are a better start than random weights.

    identity: each layer is followed by copies of it with outputs of zero, so that at first they
    pass on what they get, nearly unchanged, and the network computes what it did (as in Shen et al.
    2022, "Staged training for transformer language models", section 3.2, for networks with
    LayerNorm before the layers). Queries, keys and values are those of the layer below.

    Embeddings and head are unchanged.
    """
    if times == 1 and not dropouts:
        return model
    layers = model.config.num_hidden_layers
    changes: dict[str, Any] = {"num_hidden_layers": times * layers, **dropouts}
    deeper = type(model)(replace(model.config, **changes))
    weights = model.state_dict()
    for name, tensor in list(weights.items()):
        found = _LAYER.fullmatch(name)
        if found is None:
            continue
        own = int(found[1])
        if method == "identity":
            weights[f"encoder.layers.{own * times}.{found[2]}"] = tensor
        for copy in range(1, times):
            place = own * times + copy if method == "identity" else own + copy * layers
            weights[f"encoder.layers.{place}.{found[2]}"] = tensor
    if method == "identity":
        for layer in range(times * layers):
            if layer % times:
                weights |= _switched_off(weights, f"encoder.layers.{layer}.")
    deeper.load_state_dict(weights)
    return deeper


def _switched_off(weights: dict[str, Tensor], layer: str) -> dict[str, Tensor]:
    """Weights with which a layer, a copy of the one below, passes on what that one gives.

    Those vectors are g z + b with z of mean 0 and variance 1, so their mean is about that of b and
    their variance about mean(g^2) + variance(b): with these as bias and weight, LayerNorm changes
    them only as far as single vectors deviate from that.
    """
    weight, bias = (weights[f"{layer}output_norm.{name}"] for name in ("weight", "bias"))
    size = (weight.square().mean() + bias.var(unbiased=False)).sqrt()
    off = {}
    for name in _NORMS:
        off[f"{layer}{name}.weight"] = torch.full_like(weight, size.item())
        off[f"{layer}{name}.bias"] = torch.full_like(bias, bias.mean().item())
    for name in _OUTPUTS:
        for part in ("weight", "bias"):
            off[f"{layer}{name}.{part}"] = torch.zeros_like(weights[f"{layer}{name}.{part}"])
    return off


def copy_layers(discriminator: Discriminator, count: int) -> Generator:
    """A generator of the lowest `count` layers of a discriminator, with a random head."""
    model = Generator(replace(discriminator.config, num_hidden_layers=count))
    own = model.encoder.state_dict()
    weights = discriminator.encoder.state_dict()
    model.encoder.load_state_dict({name: weights[name] for name in own})
    return model
