"""Running a fine-tuned model over many sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from spacy_selectra.encoder.packing import length_batches
from spacy_selectra.encoder.precision import precision
from spacy_selectra.finetuning.features import Pieces, packed

# Pieces of one batch. Larger batches gain nothing on a CPU once the products are large enough,
# and leave its caches; other devices are not busy with as few.
MAX_PIECES = 2048
MAX_PIECES_ELSEWHERE = 32_768


def predict(
    model: Any,
    sequences: Sequence[Pieces],
    *,
    per_piece: bool = False,
    mode: str = "fast",
    max_pieces: int | None = None,
) -> list[np.ndarray]:
    """Logits of each sequence, in the order given.

    Sequences are sorted by length and packed into batches of at most `max_pieces` pieces (by
    default as many as suit the device). The model is put in evaluation mode and left in it.

    Args:
        model: called with packed ids, lengths and segments; a sequence classifier, or one of
            pieces.
        sequences: N sequences.
        per_piece: whether the model gives logits of pieces and not of sequences.
        mode: a name `precision` knows; "fast" keeps float32 accuracy.
        max_pieces: pieces of one batch.

    Returns:
        N float32 arrays, (labels,), or (n, labels) for n pieces.
    """
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    found: list[np.ndarray] = [np.empty(0, np.float32)] * len(sequences)
    device = next(model.parameters()).device
    model.eval()
    with torch.inference_mode(), precision(mode, device):
        for batch in length_batches(lengths, max_pieces or suitable_pieces(device)):
            ids, types = packed([sequences[index] for index in batch], device)
            sizes = lengths[batch].tolist()
            logits = model(ids, sizes, types).float().cpu().numpy()
            parts = np.split(logits, np.cumsum(sizes)[:-1]) if per_piece else logits
            for index, part in zip(batch, parts, strict=True):
                found[index] = part
    return found


def suitable_pieces(device: torch.device) -> int:
    """Pieces of one batch that suit a device."""
    return MAX_PIECES if device.type == "cpu" else MAX_PIECES_ELSEWHERE
