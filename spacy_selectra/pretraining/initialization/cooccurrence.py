"""Initialisation from co-occurrence: token embeddings computed before the first step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spacy_selectra.corpus.packed.format import PackedCorpus
from spacy_selectra.pretraining.initialization.neighbor_attention import (
    attend_to_neighbours,
    position_width,
)
from spacy_selectra.pretraining.initialization.spelling import spelling_features
from spacy_selectra.pretraining.model import PretrainingModel
from spacy_selectra.text.tokenizer import Vocabulary


@torch.no_grad()
def init_from_cooccurrence(
    model: PretrainingModel, corpus: PackedCorpus, vocabulary: Vocabulary, seed: int = 0
) -> None:
    """Set token embeddings from co-occurrence and spelling, and neighbour attention.

    Args:
        model: both networks with random weights.
        corpus: text to count in.
        vocabulary: of the corpus.
        seed: of the sample of text; other random numbers come from torch's global generator.
    """
    networks = model.discriminator, model.generator
    width = position_width(networks[0].config, networks[1].config)
    weight = networks[0].encoder.embeddings.word_embeddings.weight
    tokens = weight.shape[1] - width
    vectors = cooccurrence_embeddings(
        corpus, weight[:, :tokens], vocabulary.pieces, vocabulary.special_ids, seed
    )
    weight[:, :tokens] = vectors
    weight[:, tokens:] *= NOISE
    attend_to_neighbours([network.encoder for network in networks], width)


# With random embeddings, a short pretraining spends most of its steps on learning what counting
# tells in seconds. Skip-gram models converge to a factorisation of the pointwise mutual information
# of neighbouring pieces (Levy and Goldberg 2014). Spelling features, as in Bojanowski et al. 2017,
# are for pieces that are too rare for counts.


# What works best in Levy, Goldberg and Dagan 2015, sections 3 and 7: small windows, contexts
# smoothed with exponent 0.75, and the square root of the singular values.
WINDOW = 4
SMOOTHING = 0.75
# Enough for frequent pieces; rare ones are left to training.
MAX_PIECES = 10_000_000
# Share of random noise in an embedding, so that pieces with equal features differ.
NOISE = 0.2
_ITERATIONS = 4
# Share of spelling features in the squared norm of a row before the factorisation.
SURFACE = 0.5


def cooccurrence_embeddings(
    corpus: PackedCorpus,
    initial: Tensor,
    pieces: Sequence[str],
    special_ids: Sequence[int],
    seed: int = 0,
) -> Tensor:
    """Initial embeddings (V, E) from co-occurrence and spelling.

    Each row is scaled to the root mean square of `initial`, and a little of `initial` is added as
    noise. Special tokens keep their random rows.

    Args:
        corpus: text to count in.
        initial: (V, E) random embeddings.
        pieces: the V entries of the vocabulary.
        special_ids: ids of the special tokens.
        seed: of the sample of text; the factorisation draws from torch's global generator.
    """
    counts = count_pairs(corpus, WINDOW, special_ids, MAX_PIECES, seed)
    company = _unit_rows(positive_pmi(counts, len(initial)))
    surface = spelling_features(pieces, special_ids)
    joined = torch.cat([company * math.sqrt(1 - SURFACE), surface * math.sqrt(SURFACE)], dim=1)
    vectors = _factorise(joined.coalesce(), initial.shape[1])
    size = initial.square().mean().sqrt()
    norms = vectors.norm(dim=1, keepdim=True)
    known = norms.squeeze(1) > 1e-6
    known[list(special_ids)] = False
    scaled = vectors / norms.clamp(min=1e-6) * (size * math.sqrt(initial.shape[1]))
    result = initial.clone()
    result[known] = scaled[known].to(initial.dtype) + NOISE * initial[known]
    return result


def _unit_rows(matrix: Tensor) -> Tensor:
    """A sparse matrix with rows scaled to norm 1; rows of zeros are kept."""
    rows, values = matrix.indices()[0], matrix.values()
    squares = torch.zeros(matrix.shape[0]).index_add_(0, rows, values.square())
    scaled = values / squares.sqrt().clamp(min=1e-12)[rows]
    return torch.sparse_coo_tensor(matrix.indices(), scaled, matrix.shape, check_invariants=True)


def positive_pmi(counts: PairCounts, vocab_size: int) -> Tensor:
    """Sparse (V, V) positive PMI: max(0, log(p(w, c) / (p(w) p'(c)))), with smoothed p'."""
    first, second = torch.from_numpy(counts.first), torch.from_numpy(counts.second)
    weight = torch.from_numpy(counts.weight)
    totals = torch.zeros(vocab_size, dtype=torch.float64).index_add_(0, first, weight)
    contexts = totals**SMOOTHING
    pmi = torch.log(weight * contexts.sum() / (totals[first] * contexts[second]))
    positive = pmi > 0
    places = torch.stack([first[positive], second[positive]])
    values = pmi[positive].float()
    size = (vocab_size, vocab_size)
    return torch.sparse_coo_tensor(places, values, size, check_invariants=True).coalesce()


def _factorise(matrix: Tensor, width: int) -> Tensor:
    """U sqrt(S) of the randomised SVD (Halko et al. 2011), (V, width)."""
    rank = min(width, matrix.shape[0])
    left, singular, _ = torch.svd_lowrank(matrix, q=rank, niter=_ITERATIONS)
    vectors = torch.zeros(matrix.shape[0], width)
    vectors[:, :rank] = left * singular.sqrt()
    return vectors


# Weighted counts of pairs of neighbouring pieces in a packed corpus.


# Number of pieces after which pairs are merged, which limits memory to about 0.5 GB.
_CHUNK = 1_000_000


@dataclass(frozen=True)
class PairCounts:
    """Symmetric counts of N pairs of neighbouring pieces.

    Attributes:
        first: (N,) int64 ids.
        second: (N,) int64 ids.
        weight: (N,) float64 counts; a pair at distance d counts 1 / d.
    """

    first: np.ndarray
    second: np.ndarray
    weight: np.ndarray


def count_pairs(
    corpus: PackedCorpus, window: int, excluded: Sequence[int], max_pieces: int, seed: int = 0
) -> PairCounts:
    """Count pairs of pieces at most `window` apart in the same sequence.

    A pair counts 1 / distance, as in GloVe (Pennington et al. 2014, section 4.2).

    Args:
        corpus: packed text.
        window: greatest distance, in pieces.
        excluded: ids of special tokens, which are not counted.
        max_pieces: approximate size of the random sample of sequences to count in, in pieces.
        seed: of the sample.
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
