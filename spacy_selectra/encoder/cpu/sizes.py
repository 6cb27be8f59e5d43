"""The few sizes that products on CPUs come in.

oneDNN generates code for every new shape of a product, which takes milliseconds, and a packed batch
hardly ever has as many pieces as another one. So batches are rounded up to sizes that come again:
padding rows cost little, and code is generated once.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from spacy_selectra.encoder.cpu.linear import int8_is_on, laid_out_weights_are_on

_ROWS = 16  # of a tile of AMX
_SHORTEST = 8  # side of the smallest attention rectangle


def few_sizes_pay() -> bool:
    """Whether products on CPUs are now computed by oneDNN, here and in the precision now set."""
    if torch.compiler.is_compiling():  # one compilation is for all sizes
        return False
    laid_out = laid_out_weights_are_on() and not torch.is_grad_enabled()
    backend = getattr(torch.backends.mkldnn, "matmul", None)  # since torch 2.9
    by_onednn = getattr(backend, "fp32_precision", "") == "bf16"
    return torch.is_autocast_enabled("cpu") or int8_is_on() or laid_out or by_onednn


def rounded_rows(rows: int) -> int:
    """The number of rows a product gets for `rows` of them.

    Steps of 16 up to 128 rows, of 32 up to 512, of 80 up to 1024 (which is one itself) and of 64 up
    to 2048; from there on a step is a 32nd of the next power of two, so that less than a sixteenth
    is padding. What is left of a rounded number when blocks of 2048 are taken off it is a multiple
    of 128: the last block comes in few sizes, too.
    """
    if rows <= 128:
        step = _ROWS
    elif rows <= 512:
        step = 32
    elif rows <= 1024:
        step = 80  # steps of 64 are two sizes more where the batches of a small pretraining lie
    else:
        step = max(64, _power_of_two(rows) // 32)
    rounded = -(-rows // step) * step
    return min(rounded, 1024) if rows <= 1024 else rounded


def rounded_length(pieces: int) -> int:
    """The side of the attention rectangle of a sequence: steps of 8 up to 64 pieces, above that
    of an eighth of the next power of two."""
    step = max(_SHORTEST, _power_of_two(pieces) // 8)
    return -(-pieces // step) * step


def rounded_count(sequences: int) -> int:
    """The number of sequences that attend in one product: a power of two."""
    return _power_of_two(sequences)


def pad_rows(values: Tensor) -> Tensor:
    """(N, ...) with zeros below, up to a rounded number, where few sizes pay; else as it is."""
    return pad_for_activation(values) if few_sizes_pay() else values


def pad_for_activation(values: Tensor) -> Tensor:
    """(N, ...) with zeros below, up to a rounded number, on CPUs: GELU is oneDNN's in every
    precision, wherever products are computed."""
    if values.device.type != "cpu" or torch.compiler.is_compiling():
        return values
    missing = rounded_rows(len(values)) - len(values)
    # pad counts from the last dimension
    return F.pad(values, [0, 0] * (values.ndim - 1) + [0, missing]) if missing else values


def _power_of_two(number: int) -> int:
    """The smallest one that is not below `number`."""
    return 1 << max(0, number - 1).bit_length()
