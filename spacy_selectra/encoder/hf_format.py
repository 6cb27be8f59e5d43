"""Our parameter names and transformers': the only difference that matters is the fused q, k, v."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

_LAYER = re.compile(r"^layers\.(\d+)\.")
_RENAMED = {
    "embeddings.layer_norm.": "embeddings.LayerNorm.",
    ".attention_output.": ".attention.output.dense.",
    ".attention_norm.": ".attention.output.LayerNorm.",
    ".intermediate.": ".intermediate.dense.",
    ".output.": ".output.dense.",
    ".output_norm.": ".output.LayerNorm.",
}
_PROJECTIONS = ("query", "key", "value")


def encoder_to_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """State of a `SelectraEncoder` in the names of transformers' `ElectraModel`."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        layer = _LAYER.match(name)
        if layer is None:
            renamed[_rename(name)] = tensor
            continue
        prefix, rest = f"encoder.layer.{layer[1]}", name[layer.end() - 1 :]
        if rest.startswith(".qkv."):
            parts = tensor.chunk(3)
            for projection, part in zip(_PROJECTIONS, parts, strict=True):
                kind = rest.removeprefix(".qkv.")
                renamed[f"{prefix}.attention.self.{projection}.{kind}"] = part
        else:
            renamed[prefix + _rename(rest)] = tensor
    return renamed


def encoder_from_transformers(
    tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """State of a `SelectraEncoder` from `ElectraModel` names.

    Args:
        tensors: in transformers' names, without the prefix `electra.`.
        expected: the encoder's own state, whose names say what to look for.

    Raises:
        KeyError: a tensor is missing; the message is its name in transformers.
    """
    state: dict[str, Tensor] = {}
    for name in expected:
        layer = _LAYER.match(name)
        if layer is None:
            state[name] = tensors[_rename(name)]
            continue
        prefix, rest = f"encoder.layer.{layer[1]}", name[layer.end() - 1 :]
        if rest.startswith(".qkv."):
            kind = rest.removeprefix(".qkv.")
            names = [f"{prefix}.attention.self.{part}.{kind}" for part in _PROJECTIONS]
            state[name] = torch.cat([tensors[part] for part in names])
        else:
            state[name] = tensors[prefix + _rename(rest)]
    return state


def _rename(name: str) -> str:
    for ours, theirs in _RENAMED.items():
        if ours in name:
            return name.replace(ours, theirs)
    return name
