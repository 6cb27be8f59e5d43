"""Token embeddings that know, before the first step, which pieces keep company and look alike.

Random embeddings make a short pretraining spend most of its steps on what counting does
in seconds. The factorisation of how much more often pieces stand together than chance
would have it is what skip-gram models converge to (Levy and Goldberg 2014). Spelling, as in
Bojanowski et al. 2017, serves the pieces that are too rare to be known by their company.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from spacy_selectra.corpus.cooccurrence import PairCounts, count_pairs
from spacy_selectra.corpus.loader import PackedCorpus
from spacy_selectra.pretraining.surface import surface_features

# Levy, Goldberg and Dagan 2015, sections 3 and 7: small windows, contexts smoothed with
# exponent 0.75, and the square root of the singular values are what works best.
WINDOW = 4
SMOOTHING = 0.75
# Enough for the frequent pieces; the rare ones find their place in training.
MAX_PIECES = 10_000_000
# Pieces without neighbours in the sample, and equal ones, must not stay alike.
NOISE = 0.2
_ITERATIONS = 4
# Of the squared length of a row before factorisation, what spelling makes up.
SURFACE = 0.5


def warm_embeddings(
    corpus: PackedCorpus,
    initial: Tensor,
    pieces: Sequence[str],
    special_ids: Sequence[int],
    seed: int = 0,
) -> Tensor:
    """Initial embeddings (V, E) from co-occurrence and spelling.

    Each row is scaled to the root mean square of `initial`, so that the network meets
    embeddings of the size it expects; a little of `initial` is added as noise. Special
    tokens keep their random rows.

    Args:
        corpus: text to count in.
        initial: (V, E) random embeddings.
        pieces: the V entries of the vocabulary.
        special_ids: ids of the special tokens.
        seed: of the sample of text; the factorisation draws from torch's global generator.
    """
    counts = count_pairs(corpus, WINDOW, special_ids, MAX_PIECES, seed)
    company = _unit_rows(positive_pmi(counts, len(initial)))
    surface = surface_features(pieces, special_ids)
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
    """A sparse matrix with every row that is not zero scaled to norm 1."""
    rows, values = matrix.indices()[0], matrix.values()
    squares = torch.zeros(matrix.shape[0]).index_add_(0, rows, values.square())
    scaled = values / squares.sqrt().clamp(min=1e-12)[rows]
    return torch.sparse_coo_tensor(matrix.indices(), scaled, matrix.shape, check_invariants=True)


def positive_pmi(counts: PairCounts, vocab_size: int) -> Tensor:
    """Sparse (V, V): max(0, log(p(w, c) / (p(w) p'(c)))), p' being smoothed by an exponent."""
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
