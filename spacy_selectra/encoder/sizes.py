"""The few sizes that products on CPUs come in.

oneDNN generates code for every new shape of a product, which takes milliseconds, and a packed batch
hardly ever has as many pieces as another one. So batches are rounded up to sizes that come again:
padding rows cost little, and code is generated once.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_FINEST = 16  # rows of a tile of AMX, and pieces of the shortest attention rectangle


def rounded_rows(rows: int) -> int:
    """The number of rows a product gets for `rows` of them.

    Steps of 16 up to 128 rows, of 32 up to 512 and of 64 up to 2048; from there on a step is a
    32nd of the next power of two, so that less than a sixteenth is padding. Whatever is left of a
    rounded number when blocks of 2048 are taken off it is a rounded number, too.
    """
    if rows <= 128:
        step = _FINEST
    elif rows <= 512:
        step = 32
    else:
        step = max(64, _power_of_two(rows) // 32)
    return -(-rows // step) * step


def rounded_length(pieces: int) -> int:
    """The side of the attention rectangle of a sequence: steps of 16 up to 128 pieces, above
    that an eighth of the next power of two."""
    step = max(_FINEST, _power_of_two(pieces) // 8)
    return -(-pieces // step) * step


def rounded_count(sequences: int) -> int:
    """The number of sequences that attend in one product: a power of two."""
    return _power_of_two(sequences)


def pad_rows(values: Tensor, rows: int | None = None) -> Tensor:
    """(N, ...) on a CPU with zeros below, up to `rows` or a rounded number; else as it is."""
    if values.device.type != "cpu" or torch.compiler.is_compiling():
        return values
    missing = (rounded_rows(len(values)) if rows is None else rows) - len(values)
    # pad counts from the last dimension
    return F.pad(values, [0, 0] * (values.ndim - 1) + [0, missing]) if missing else values


def _power_of_two(number: int) -> int:
    """The smallest one that is not below `number`."""
    return 1 << max(0, number - 1).bit_length()
