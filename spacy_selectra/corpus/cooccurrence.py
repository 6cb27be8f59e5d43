"""Which pieces stand near which: weighted pair counts over a packed corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spacy_selectra.corpus.loader import PackedCorpus

# Pieces counted before the pairs found so far are merged: bounds memory at about 0.5 GB.
_CHUNK = 1_000_000


@dataclass(frozen=True)
class PairCounts:
    """Symmetric counts of neighbouring pieces, N pairs that occur.

    Attributes:
        first: (N,) int64 ids.
        second: (N,) int64 ids.
        weight: (N,) float64; a pair at distance d counts 1 / d.
    """

    first: np.ndarray
    second: np.ndarray
    weight: np.ndarray


def count_pairs(
    corpus: PackedCorpus, window: int, excluded: Sequence[int], max_pieces: int, seed: int = 0
) -> PairCounts:
    """Count pairs of pieces at most `window` apart in the same sequence.

    Nearer neighbours count more (1 / distance, as in GloVe: Pennington et al. 2014,
    section 4.2).

    Args:
        corpus: packed text.
        window: greatest distance, in pieces.
        excluded: ids of special tokens, which are nobody's neighbours.
        max_pieces: read about so many pieces, drawn by sequences, not the whole corpus.
        seed: of that draw.
    """
    counted = np.ones(corpus.manifest.vocab_size, dtype=bool)
    counted[list(excluded)] = False
    vocab_size = len(counted)
    share = min(1.0, max_pieces / max(1, corpus.n_tokens))
    order = np.random.default_rng(seed).permutation(corpus.n_sequences)
    chosen = np.sort(order[: round(share * corpus.n_sequences)])
    lengths = corpus.lengths()[chosen]
    cuts = np.flatnonzero(np.diff(np.cumsum(lengths) // _CHUNK)) + 1
    keys, weights = np.zeros(0, dtype=np.int64), np.zeros(0)
    for part in np.split(chosen, cuts):
        if len(part):
            found = _pairs_of(corpus, part, window, counted)
            keys, weights = _merge([keys, found[0]], [weights, found[1]])
    first, second = keys // vocab_size, keys % vocab_size
    keys, weights = _merge([keys, second * vocab_size + first], [weights, weights])
    return PairCounts(keys // vocab_size, keys % vocab_size, weights)


def _pairs_of(
    corpus: PackedCorpus, sequences: np.ndarray, window: int, counted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    batch = corpus.batch(sequences)
    ids = batch.input_ids
    sequence = np.repeat(np.arange(len(batch.lengths)), batch.lengths)
    keys: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    for distance in range(1, window + 1):
        left, right = ids[:-distance], ids[distance:]
        near = sequence[:-distance] == sequence[distance:]
        near &= counted[left] & counted[right]
        found, count = np.unique(left[near] * len(counted) + right[near], return_counts=True)
        keys.append(found)
        weights.append(count / distance)
    return _merge(keys, weights)


def _merge(keys: list[np.ndarray], weights: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    unique, place = np.unique(np.concatenate(keys), return_inverse=True)
    return unique, np.bincount(place, weights=np.concatenate(weights), minlength=len(unique))
