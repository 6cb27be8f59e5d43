"""Running a network over many sequences: sorted by length, packed, without gradients."""

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

# Pieces of one batch. Larger batches gain nothing on a CPU once the products are large enough,
# and leave its caches; other devices are not busy with as few.
MAX_PIECES = 2048
MAX_PIECES_ELSEWHERE = 32_768


class PackedBatch(NamedTuple):
    """Which pieces make up a batch of sequences of similar length.

    Attributes:
        members: (B,) int64, numbers of the sequences.
        lengths: pieces of each.
        rows: (T,) int64, where their pieces are, sequence after sequence.
    """

    members: np.ndarray
    lengths: list[int]
    rows: np.ndarray


def suitable_pieces(device: torch.device) -> int:
    """Pieces of one batch that suit a device."""
    return MAX_PIECES if device.type == "cpu" else MAX_PIECES_ELSEWHERE


def length_batches(lengths: Sequence[int] | np.ndarray, max_pieces: int) -> list[np.ndarray]:
    """Indices of the sequences of each batch, longest first.

    A packed batch has no padding, so the budget counts real pieces. Similar lengths
    together let attention work on views instead of copies.

    Args:
        lengths: pieces of each sequence.
        max_pieces: most pieces in a batch; a longer sequence gets a batch of its own.

    Returns:
        int64 arrays that together hold every index once.
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
    """Batches of sequences that are parts of one long row of pieces.

    Args:
        begins: (N, k) int64: a sequence is k stretches of the row, and these are their first.
        sizes: (N, k) int64, the length of each stretch.
        max_pieces: most pieces of a batch, as for `length_batches`.
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
    """Within the block networks are in evaluation mode and compute without gradients.

    Args:
        mode: a name that `precision` knows.
        networks: all of one device, which is what the block gets.
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
    """Logits of each sequence, in the order given.

    Args:
        model: called with packed ids, lengths and segments; a sequence classifier, or one of
            pieces.
        sequences: N sequences.
        per_piece: whether the model gives logits of pieces and not of sequences.
        mode: a name `precision` knows; "fast" keeps float32 accuracy.
        max_pieces: pieces of one batch; as many as suit the device if None.

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
