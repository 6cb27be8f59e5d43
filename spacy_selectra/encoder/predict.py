"""Prediction for many sequences: sorted by length, in packed batches, without gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from spacy_selectra.encoder.precision import precision
from spacy_selectra.text.encode import TypedPieces, join
from spacy_selectra.util.arrays import runs

# Pieces of a batch. On a CPU, larger batches are not faster and exceed its caches; other devices
# need more to be busy.
MAX_PIECES = 2048
MAX_PIECES_ELSEWHERE = 32_768


class PackedBatch(NamedTuple):
    """The sequences of a batch, of similar length.

    Attributes:
        members: (B,) int64, numbers of the sequences.
        lengths: pieces of each.
        rows: (T,) int64, indices of their pieces, sequence after sequence.
    """

    members: np.ndarray
    lengths: list[int]
    rows: np.ndarray


def suitable_pieces(device: torch.device) -> int:
    """Suitable number of pieces of a batch for a device."""
    return MAX_PIECES if device.type == "cpu" else MAX_PIECES_ELSEWHERE


def length_batches(lengths: Sequence[int] | np.ndarray, max_pieces: int) -> list[np.ndarray]:
    """Indices of the sequences of each batch, longest first.

    A packed batch has no padding, so the budget counts real pieces. With similar lengths,
    attention can use views instead of copies.

    Args:
        lengths: pieces of each sequence.
        max_pieces: maximum pieces of a batch; a longer sequence gets its own batch.

    Returns:
        int64 arrays that together have every index once.
    """
    sizes = np.asarray(lengths, dtype=np.int64)
    order = np.argsort(-sizes, kind="stable")
    batches: list[np.ndarray] = []
    begin, pieces = 0, 0
    for place, index in enumerate(order):
        if place > begin and pieces + sizes[index] > max_pieces:
            batches.append(order[begin:place])
            begin, pieces = place, 0
        pieces += int(sizes[index])
    if len(order):
        batches.append(order[begin:])
    return batches


def packed_batches(begins: np.ndarray, sizes: np.ndarray, max_pieces: int) -> Iterator[PackedBatch]:
    """Batches of sequences that are parts of one long array of pieces.

    Args:
        begins: (N, k) int64: a sequence consists of k slices of the array; their beginnings.
        sizes: (N, k) int64, the lengths of the slices.
        max_pieces: maximum pieces of a batch, as for `length_batches`.
    """
    lengths = sizes.sum(axis=1)
    for members in length_batches(lengths, max_pieces):
        rows = runs(begins[members].reshape(-1), sizes[members].reshape(-1))
        yield PackedBatch(members, lengths[members].tolist(), rows)


def to_tensors(pieces: TypedPieces, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """(T,) ids and (T,) segments on a device."""
    return torch.from_numpy(pieces.ids).to(device), torch.from_numpy(pieces.types).to(device)


@contextmanager
def inference(mode: str, *networks: nn.Module) -> Iterator[torch.device]:
    """Networks in evaluation mode and without gradients within the block.

    Args:
        mode: precision.
        networks: on the same device, which is yielded.
    """
    were_training = [network.training for network in networks]
    device = next(networks[0].parameters()).device
    for network in networks:
        network.eval()
    try:
        with torch.inference_mode(), precision(mode, device):
            yield device
    finally:
        for network, training in zip(networks, were_training, strict=True):
            network.train(training)


def predict(
    model: Any,
    sequences: Sequence[TypedPieces],
    *,
    per_piece: bool = False,
    mode: str = "fast",
    max_pieces: int | None = None,
) -> list[np.ndarray]:
    """Logits of each sequence, in order.

    Args:
        model: called with packed ids, lengths and segments; a classifier of sequences or pieces.
        sequences: N sequences.
        per_piece: whether logits are per piece and not per sequence.
        mode: precision; "fast" keeps float32 accuracy.
        max_pieces: maximum pieces of a batch; None chooses by device.

    Returns:
        N float32 arrays, (labels,), or (n, labels) for n pieces.
    """
    found: list[np.ndarray] = [np.empty(0, np.float32)] * len(sequences)
    if not sequences:
        return found
    sizes = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    begins = np.cumsum(sizes) - sizes
    pieces = join(sequences)
    with inference(mode, model) as device:
        for batch in packed_batches(
            begins[:, None], sizes[:, None], max_pieces or suitable_pieces(device)
        ):
            ids, types = to_tensors(pieces.at(batch.rows), device)
            logits = model(ids, batch.lengths, types).float().cpu().numpy()
            parts = np.split(logits, np.cumsum(batch.lengths)[:-1]) if per_piece else logits
            for index, part in zip(batch.members, parts, strict=True):
                found[index] = part
    return found
