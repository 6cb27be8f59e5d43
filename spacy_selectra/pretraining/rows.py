"""Training some token embeddings and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.model import PretrainingModel


def restrict_to_rows(model: PretrainingModel, rows: Sequence[int]) -> None:
    """Freeze all weights but the shared token embeddings, and of these all rows but `rows`.

    The rows that stay get gradients of exactly 0, so that an optimiser without weight decay leaves
    them as they are to the bit. Heads and generator are frozen too, a corrector likewise.

    Raises:
        SelectraError: no rows, or one beyond the vocabulary.
    """
    weight = model.discriminator.encoder.embeddings.word_embeddings.weight
    if not rows:
        raise SelectraError("there are no rows to train")
    if min(rows) < 0 or max(rows) >= len(weight):
        raise SelectraError(
            f"row {max(rows)} is to be trained, the vocabulary has {len(weight)} entries"
        )
    model.requires_grad_(False)
    weight.requires_grad_(True)
    index = torch.tensor(sorted(set(rows)))

    def only_rows(gradient: Tensor) -> Tensor:
        chosen = index.to(gradient.device)
        kept = torch.zeros_like(gradient)
        kept[chosen] = gradient[chosen]
        return kept

    weight.register_hook(only_rows)
