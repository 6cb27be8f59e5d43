"""The discriminator's half of replaced-token detection (Clark et al. 2020, section 2)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def replace(input_ids: Tensor, positions: Tensor, samples: Tensor) -> tuple[Tensor, Tensor]:
    """Put the generator's samples (M,) into the text (T,).

    Returns:
        The corrupted ids (T,), and (T,) bool labels: which pieces differ from the original.
        A sample that equals it counts as original (Clark et al. 2020, section 2).
    """
    corrupted = input_ids.index_copy(0, positions, samples)
    return corrupted, corrupted != input_ids


def discriminator_loss(logits: Tensor, replaced: Tensor) -> Tensor:
    """Sum over all T pieces, [CLS] and [SEP] among them as in the original code, of the binary
    cross-entropy between logits (T,) and labels (T,) bool; a scalar of float32 at least."""
    wide = torch.promote_types(logits.dtype, torch.float32)
    return F.binary_cross_entropy_with_logits(logits.to(wide), replaced.to(wide), reduction="sum")
