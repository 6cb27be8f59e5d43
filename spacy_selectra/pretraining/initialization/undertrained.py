"""Finding under-trained tokens: entries that did not occur in pretraining.

**By rule.** A tokenizer that strips accents never produces the entries with accents. This is the
mistake of SELECTRA's published checkpoints, and these are all their under-trained tokens.

**By statistic**, if the tokenizer does not strip accents. An entry that never occurs is still an
output of the generator, and the softmax pushes all outputs that are never correct in the same
direction. So Land and Bartolo 2024, "Fishing for Magikarp", compare each embedding with the mean
of embeddings known to be under-trained. With that mean u and the mean m of all other embeddings,
both (E,), the statistic of an embedding e is

    cos(e - m, u - m)

Known to be under-trained are entries such as [unused1]; in a vocabulary without them, entries with
accents are tried, which must resemble each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from spacy_selectra.errors import SelectraError
from spacy_selectra.text.normalization import has_accent, is_reserved

# Lowest cosine of an under-trained entry. In benchmarks/accent_repair.py 95% of the entries that
# never occurred are above 0.6, 95% of the others below 0.4, and 0.53 separates them best.
THRESHOLD = 0.5
# Fewest rows in a mean. A row that is part of the mean of n has a cosine of 1 / sqrt(n) by chance.
FEWEST = 16


@dataclass(frozen=True)
class Statistics:
    """Counts of under-trained entries, and the evidence.

    Attributes:
        verdict: the result in one sentence.
        entries: number of entries examined, without special tokens.
        found: number of under-trained entries.
        accented: number of entries with an accent, ñ or ü.
        accented_found: how many of these are under-trained.
        reserved: number of entries such as [unused1].
        reserved_found: how many of these are under-trained.
        cosine: median statistic of under-trained entries; None if they were found by rule.
        cosine_others: median statistic of all others.
    """

    verdict: str
    entries: int
    found: int = 0
    accented: int = 0
    accented_found: int = 0
    reserved: int = 0
    reserved_found: int = 0
    cosine: float | None = None
    cosine_others: float | None = None


@dataclass(frozen=True)
class Undertrained:
    """The under-trained entries.

    Attributes:
        ids: ascending.
        cosines: the statistic of each of `ids`; None if it was found by rule.
        statistics: counts and evidence.
    """

    ids: tuple[int, ...]
    cosines: tuple[float | None, ...]
    statistics: Statistics


def find_undertrained(
    weight: Tensor, pieces: Sequence[str], special_ids: Sequence[int], *, strips_accents: bool
) -> Undertrained:
    """Find the under-trained entries, if there are any.

    The statistic also finds entries that occurred only a few times.

    Args:
        weight: (V, E) token embeddings.
        pieces: the V entries of the vocabulary.
        special_ids: ids that are not examined.
        strips_accents: whether the tokenizer strips accents.

    Raises:
        SelectraError: the sizes do not fit, a weight is not finite, or there are no embeddings
            known to be under-trained for comparison.
    """
    if len(weight) != len(pieces):
        raise SelectraError(f"{len(weight)} embeddings, but {len(pieces)} entries")
    if not torch.isfinite(weight).all():
        raise SelectraError("an embedding is not finite; the checkpoint is damaged")
    special = set(special_ids)
    examined = [index for index in range(len(pieces)) if index not in special]
    ids = torch.tensor(examined)
    accented = torch.tensor([has_accent(pieces[index]) for index in examined])
    reserved = torch.tensor([is_reserved(pieces[index]) for index in examined])
    cosines = None
    if strips_accents and accented.any():
        found = accented
        verdict = "entries have accents, which the tokenizer strips from every text"
    else:
        cosines = _cosines(weight.detach().to("cpu", torch.float64)[ids], accented, reserved)
        found = cosines >= THRESHOLD
        verdict = "entries look under-trained"
    count = int(found.sum())
    chosen = ids[found].tolist()
    return Undertrained(
        tuple(chosen),
        tuple([None] * count if cosines is None else cosines[found].tolist()),
        Statistics(
            verdict=f"{f'{count:,}' if count else 'none'} of {len(ids):,} {verdict}",
            entries=len(ids),
            found=count,
            accented=int(accented.sum()),
            accented_found=int((accented & found).sum()),
            reserved=int(reserved.sum()),
            reserved_found=int((reserved & found).sum()),
            cosine=_median(cosines, found),
            cosine_others=_median(cosines, ~found),
        ),
    )


def _median(cosines: Tensor | None, chosen: Tensor) -> float | None:
    return None if cosines is None or not chosen.any() else float(cosines[chosen].median())


def _cosines(rows: Tensor, accented: Tensor, reserved: Tensor) -> Tensor:
    """(N,) the statistic of (N, E) rows; -1 everywhere if entries with accents were trained.

    Raises:
        SelectraError: no embeddings known to be under-trained, or they differ from each other.
    """
    known = reserved if int(reserved.sum()) >= FEWEST else accented
    if not FEWEST <= int(known.sum()) < len(rows):
        raise SelectraError(
            "under-trained entries cannot be found: the tokenizer does not strip accents, and "
            f"the vocabulary has fewer than {FEWEST} entries such as [unused1] and fewer than "
            f"{FEWEST} with accents to compare the others with"
        )
    mean = rows[~known].mean(dim=0)
    cosines = cosine_similarity(rows - mean, rows[known].mean(dim=0) - mean, dim=1)
    if float(cosines[known].median()) >= THRESHOLD:
        return cosines
    if known is reserved:
        raise SelectraError(
            "under-trained entries cannot be found: the embeddings of entries such as [unused1] do "
            "not resemble each other; perhaps the checkpoint is not trained, or these embeddings "
            "were not initialised at random"
        )
    return torch.full_like(cosines, -1.0)
