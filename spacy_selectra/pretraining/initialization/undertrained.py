"""Finding under-trained tokens: entries whose embedding pretraining never reached.

**The rule.** A tokenizer that strips accents from text never yields the entries of its vocabulary
that have one. That was the mistake of SELECTRA's published checkpoints, and these entries are all
that it left untrained.

**The statistic**, where the tokenizer gives nothing away. A row that occurs nowhere is still an
output of the generator, and the softmax pushes all rows that are never right the same way. So Land
and Bartolo 2024, "Fishing for Magikarp", compare each row with the mean of rows that are known
never to occur. With that mean u and the mean m of all other rows, both (E,), the statistic of a row
e is

    cos(e - m, u - m)

Rows known never to occur are those of entries such as [unused1]; in a vocabulary without them,
those of entries with accents, if these prove to be alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from spacy_selectra.errors import SelectraError
from spacy_selectra.text.normalization import has_accent, is_reserved

# A cosine of at least this is a verdict. In benchmarks/accent_repair.py 95% of the entries that
# never occurred have more than 0.6, 95% of the others less than 0.4, and 0.53 separates them best.
THRESHOLD = 0.5
# Rows a mean is taken of. It holds each of them, which alone makes a cosine of 1 / sqrt(rows).
FEWEST = 16


@dataclass(frozen=True)
class Statistics:
    """What was found, and by what.

    Attributes:
        verdict: one sentence.
        entries: entries examined; special tokens are not.
        found: entries found under-trained.
        accented: entries with an accent, ñ or ü.
        accented_found: how many of them were found.
        reserved: entries such as [unused1].
        reserved_found: how many of them were found.
        cosine: median of the statistic over the entries found; None without one.
        cosine_others: likewise over all others.
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
    """The entries found.

    Attributes:
        ids: ascending.
        cosines: the statistic of each of `ids`; None if the rule found them.
        statistics: of the whole.
    """

    ids: tuple[int, ...]
    cosines: tuple[float | None, ...]
    statistics: Statistics


def find_undertrained(
    weight: Tensor, pieces: Sequence[str], special_ids: Sequence[int], *, strips_accents: bool
) -> Undertrained:
    """Find the entries that were never trained; none if nothing speaks for it.

    Entries that occurred a few times only look the same to the statistic and are found too.

    Args:
        weight: (V, E) token embeddings.
        pieces: the V entries of the vocabulary.
        special_ids: never examined.
        strips_accents: whether the tokenizer takes the accents from text.

    Raises:
        SelectraError: the sizes do not fit, a weight is not finite, or there is nothing known never
            to occur that the rows could be compared with.
    """
    if len(weight) != len(pieces):
        raise SelectraError(f"{len(weight)} embeddings for {len(pieces)} entries")
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
        verdict = "entries have accents, which its tokenizer strips from every text"
    else:
        cosines = _cosines(weight.detach().to("cpu", torch.float64)[ids], accented, reserved)
        found = cosines >= THRESHOLD
        verdict = "entries look untrained"
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
    """(N,) the statistic of (N, E) rows; below the threshold everywhere if accents prove trained.

    Raises:
        SelectraError: no entries known never to occur, or they are not alike.
    """
    known = reserved if int(reserved.sum()) >= FEWEST else accented
    if not FEWEST <= int(known.sum()) < len(rows):
        raise SelectraError(
            "nothing tells which entries were never trained: the tokenizer strips no accents, and "
            f"the vocabulary has fewer than {FEWEST} entries such as [unused1] and fewer than "
            f"{FEWEST} with accents to compare the others with"
        )
    mean = rows[~known].mean(dim=0)
    cosines = cosine_similarity(rows - mean, rows[known].mean(dim=0) - mean, dim=1)
    if float(cosines[known].median()) >= THRESHOLD:
        return cosines
    if known is reserved:
        raise SelectraError(
            "nothing tells which entries were never trained: entries such as [unused1], which "
            "never occur, are not alike, as if nothing was trained or they did not start from "
            "random rows"
        )
    return torch.full_like(cosines, -1.0)
