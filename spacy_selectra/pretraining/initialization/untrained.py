"""Finding the entries whose embedding was never trained, from the embeddings alone.

A row that never occurs in the text is not left where it started: it is an output of the
generator too, and the softmax pushes all rows that are never right the same way (Land and
Bartolo 2024, "Fishing for Magikarp", see it in large language models). What such rows have of
their own is only their random start, N(0, `initializer_range`), shrunk by weight decay. So they
are a cluster: one common vector, with independent noise no wider than the start around it.

Two normal distributions are fitted, one to that cluster and one to all other rows. A cluster
counts as untrained only if it passes tests that clusters of trained rows fail: they are wider
than the start, run into the rest, or hold rows that are nearer to each other than noise would be.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.initialization.clusters import (
    Split,
    drift,
    neighbours_beyond_chance,
    random_projection,
    sample_rows,
    separate,
    spread,
    tight_starts,
)
from spacy_selectra.text.normalization import has_accent

# Tests of a cluster. Limits lie between what planted clusters and what clusters of trained rows
# of short runs gave; see benchmarks/accent_repair.py.
SMALLEST = 16
LARGEST_SHARE = 0.6
MOST_OVERLAP = 0.02
MOST_KINSHIP = 0.3
# In units of `initializer_range`. Decay shrinks what a row keeps of its start, but the generator
# draws the entry now and then, and each time the discriminator's gradient adds some noise.
WIDEST = 1.1
# How many times as frequent accented and reserved entries have to be among those found. A
# cluster that holds most of these and hardly any other entry may be wider than the start, if the
# others are wider still.
ENRICHMENT = 2.0
STRONG_ENRICHMENT = 5.0
STRONG_RECALL = 0.5
STRONG_RATIO = 1.2
# A cluster not enriched might be that of numbers or of rare words, and has to pass more: size,
# kinship, and a width and a place unlike the others'.
UNEXPECTED_SMALLEST = 64
UNEXPECTED_SHARE = 0.3
UNEXPECTED_KINSHIP = 0.05
UNEXPECTED_RATIO = 1.5
FAR_RATIO = 2.5
FAR_DRIFT = 1.0
# Predictions with odds below e^10 are called uncertain: the normal distributions are a model only.
SURE = 10.0

_SAMPLE = 8_000  # rows on which clusters are looked for
_TIGHT_STARTS = 8
_DIMENSIONS = 256  # wider rows are projected: noise stays noise, and time grows with the square


@dataclass(frozen=True)
class Statistics:
    """What the verdict rests on. Spreads are per element, as a multiple of `initializer_range`.

    Attributes:
        verdict: one sentence.
        entries: entries examined; special tokens are not.
        found: entries found untrained.
        share: `found` / `entries`.
        accented: entries with an accent, ñ or ü.
        accented_found: how many of them were found.
        reserved: entries such as [unused1].
        reserved_found: how many of them were found.
        spread: of what the rows found have of their own; at most 1 if that is a random start.
        spread_others: the same of all other rows.
        drift: distance of the centre of the rows found from that of the others, as a multiple
            of the usual length of what they have of their own.
        overlap: expected share of wrong verdicts among those found, if rows are as modelled.
        uncertain: verdicts, of either kind, with odds below e^10.
        kinship: share of rows found with a neighbour nearer than any is by chance; 0 for noise.
    """

    verdict: str
    entries: int
    found: int = 0
    share: float = 0.0
    accented: int = 0
    accented_found: int = 0
    reserved: int = 0
    reserved_found: int = 0
    spread: float = math.nan
    spread_others: float = math.nan
    drift: float = math.nan
    overlap: float = math.nan
    uncertain: int = 0
    kinship: float = math.nan


@dataclass(frozen=True)
class Untrained:
    """The entries found.

    Attributes:
        ids: ascending.
        log_odds: natural logarithm of the odds for untrained, of each of `ids`.
        statistics: of the whole.
    """

    ids: tuple[int, ...]
    log_odds: tuple[float, ...]
    statistics: Statistics


def find_untrained(
    weight: Tensor,
    pieces: Sequence[str],
    special_ids: Sequence[int],
    initializer_range: float = 0.02,
    seed: int = 0,
) -> Untrained:
    """Find the rows that were never trained; none if there is no clear group of them.

    Entries that occurred a few times only look the same and are found too. A model that did
    not start from independent random rows cannot be judged.

    Args:
        weight: (V, E) token embeddings.
        pieces: the V entries of the vocabulary.
        special_ids: never examined.
        initializer_range: standard deviation of the random start, from `config.json`.
        seed: of the samples.

    Raises:
        SelectraError: the sizes do not fit, or a weight is not finite.
    """
    if len(weight) != len(pieces):
        raise SelectraError(f"{len(weight)} embeddings for {len(pieces)} entries")
    if not torch.isfinite(weight).all():
        raise SelectraError("an embedding is not finite; the checkpoint is damaged")
    special = set(special_ids)
    examined = [index for index in range(len(pieces)) if index not in special]
    ids = torch.tensor(examined)
    rows = weight.detach().to("cpu", torch.float64)[ids]
    accented = torch.tensor([has_accent(pieces[index]) for index in examined])
    reserved = torch.tensor([is_reserved(pieces[index]) for index in examined])
    suspect = accented | reserved
    generator = torch.Generator().manual_seed(seed)
    if rows.shape[1] > _DIMENSIONS:
        rows = random_projection(rows, _DIMENSIONS, generator)
    sample = sample_rows(suspect, _SAMPLE, generator)
    best: Split | None = None
    for start in _starts(rows[sample], accented[sample], reserved[sample], generator):
        split = separate(rows[sample], start)
        if split is None or (best is not None and split.likelihood <= best.likelihood):
            continue
        if not _objection(rows[sample], split, suspect[sample], initializer_range, seed):
            best = split
    none = f"no group of rows among {len(rows):,} looks untrained"
    if best is None:
        return Untrained((), (), Statistics(none, len(rows)))
    split = separate(rows, best.classify(rows) > 0)
    if split is None or _objection(rows, split, suspect, initializer_range, seed):
        return Untrained((), (), Statistics(none, len(rows)))
    found = split.inside
    statistics = Statistics(
        verdict=f"{int(found.sum()):,} of {len(rows):,} entries look untrained",
        entries=len(rows),
        found=int(found.sum()),
        share=float(found.double().mean()),
        accented=int(accented.sum()),
        accented_found=int((accented & found).sum()),
        reserved=int(reserved.sum()),
        reserved_found=int((reserved & found).sum()),
        spread=spread(rows[found]) / initializer_range,
        spread_others=spread(rows[~found]) / initializer_range,
        drift=drift(rows, found),
        overlap=split.overlap,
        uncertain=int((split.log_odds.abs() < SURE).sum()),
        kinship=neighbours_beyond_chance(rows[found], seed),
    )
    return Untrained(tuple(ids[found].tolist()), tuple(split.log_odds[found].tolist()), statistics)


def is_reserved(piece: str) -> bool:
    """Whether an entry stands for no text, as BERT's [unused1]."""
    return piece.startswith("[unused") and piece.endswith("]")


def _starts(
    rows: Tensor, accented: Tensor, reserved: Tensor, generator: torch.Generator
) -> Iterator[Tensor]:
    """First guesses of the cluster, (N,) bool: what there is reason to suspect, then the densest
    places."""
    for guess in (accented, reserved):
        if int(guess.sum()) >= SMALLEST:
            yield guess
    yield from tight_starts(rows, _TIGHT_STARTS, generator)


def _objection(
    rows: Tensor, split: Split, suspect: Tensor, initializer_range: float, seed: int
) -> str:
    """Why the cluster cannot be called untrained; empty if nothing speaks against it."""
    inside = split.inside
    count = int(inside.sum())
    if count < SMALLEST or count > LARGEST_SHARE * len(rows):
        return "size"
    if split.overlap > MOST_OVERLAP:
        return "overlap"
    enrichment, recall = _enrichment(inside, suspect)
    width, width_others = spread(rows[inside]), spread(rows[~inside])
    ratio = width_others / max(width, 1e-12)
    strong = enrichment >= STRONG_ENRICHMENT and recall >= STRONG_RECALL and ratio >= STRONG_RATIO
    if width > WIDEST * initializer_range and not strong:
        return "spread"
    kinship = neighbours_beyond_chance(rows[inside], seed)
    if kinship > MOST_KINSHIP:
        return "kinship"
    if enrichment >= ENRICHMENT:
        return ""
    unlike_others = ratio >= UNEXPECTED_RATIO and (
        ratio >= FAR_RATIO or drift(rows, inside) >= FAR_DRIFT
    )
    usual_size = UNEXPECTED_SMALLEST <= count <= UNEXPECTED_SHARE * len(rows)
    if unlike_others and usual_size and kinship <= UNEXPECTED_KINSHIP:
        return ""
    return "not the entries to be expected"


def _enrichment(inside: Tensor, suspect: Tensor) -> tuple[float, float]:
    """How many times as frequent suspects are inside, and the share of them that is inside."""
    found, count = int((suspect & inside).sum()), int(inside.sum())
    total = int(suspect.sum())
    # Laplace's rule for the others: that none is among them says little where there are few
    among_others = (total - found + 1) / (len(inside) - count + 2)
    return found / count / among_others, found / max(1, total)
