"""The form weights have in files: transformers' names, and half precision where that is exact."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from spacy_selectra.encoder.cpu.inference import forget
from spacy_selectra.errors import SelectraError

# Names: the only difference that matters is the fused q, k, v.


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


# Half precision: half the megabytes for rounding errors of 0.05%. Weights are rounded once, in
# memory, so that what is measured is what is stored. Storing them in half precision afterwards
# loses nothing, so it needs no switch: it is done whenever it is exact.


def round_to_half(module: nn.Module) -> None:
    """Replace each weight by the nearest one of float16 (11 bits), in place.

    Raises:
        SelectraError: a weight is beyond the range of float16 (65,504).
    """
    rounded = {name: weight.detach().half() for name, weight in module.named_parameters()}
    for name, weight in rounded.items():
        if not torch.isfinite(weight).all():
            raise SelectraError(f"'{name}' has weights that half precision cannot hold")
    forget(module)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            weight.copy_(rounded[name])


def exact_type(tensors: Iterable[Tensor]) -> torch.dtype | None:
    """float16 if it holds every floating-point number of the tensors exactly, else None."""
    floating = [tensor.detach() for tensor in tensors if tensor.is_floating_point()]
    exact = all(torch.equal(tensor.half().to(tensor.dtype), tensor) for tensor in floating)
    return torch.float16 if exact and floating else None


def stored_tensor(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    """A copy on the CPU for a file; floating-point numbers in `dtype`, unless that is None."""
    kept = dtype if tensor.is_floating_point() else None
    return tensor.detach().to("cpu", kept).contiguous().clone()


def in_full_precision(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, floating-point numbers as float32."""
    return {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }
