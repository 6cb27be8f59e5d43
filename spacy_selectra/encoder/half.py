"""Half precision on disk: half the megabytes for rounding errors of 0.05%.

Weights are rounded once, in memory, so that what is measured is what is stored. Storing them in
half precision afterwards loses nothing, so it needs no switch: it is done whenever it is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from spacy_selectra.encoder.cpu.inference import forget
from spacy_selectra.errors import SelectraError


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
