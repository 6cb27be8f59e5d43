"""Spelling features of pieces: case, digits, first and last letters."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from spacy_selectra.text.normalization import CONTINUATION, strip_accents

# In letters. Spanish inflection is in the last four letters; the first letters identify the stem.
_SUFFIXES, _PREFIXES = range(1, 5), range(2, 5)
# A feature counts if at least this number of pieces have it.
_SHARED = 2


def spelling_features(pieces: Sequence[str], special_ids: Sequence[int] = ()) -> Tensor:
    """Sparse (V, F): rows of norm 1, or of zeros for special tokens.

    Half of each row is the kind of the piece (begins or continues a word; lower case, capitalised,
    capitals, number, punctuation). The other half is its first and last letters and its form
    without case and accents, weighted by inverse document frequency.

    Args:
        pieces: V entries of the vocabulary, in order of their ids.
        special_ids: ids of the special tokens.
    """
    special = set(special_ids)
    rows = [[] if i in special else _letters(piece) for i, piece in enumerate(pieces)]
    frequency = Counter(feature for row in rows for feature in row)
    columns: dict[str, int] = {}
    places: list[tuple[int, int]] = []
    values: list[float] = []
    for i, (piece, row) in enumerate(zip(pieces, rows, strict=True)):
        if i in special:
            continue
        weights = {
            feature: math.log(len(pieces) / frequency[feature])
            for feature in row
            if frequency[feature] >= _SHARED
        }
        norm = math.sqrt(sum(weight * weight for weight in weights.values()))
        weights = {feature: weight / norm for feature, weight in weights.items()} if norm else {}
        weights[_kind(piece)] = 1.0
        scale = 1 / math.sqrt(sum(weight * weight for weight in weights.values()))
        for feature, weight in weights.items():
            places.append((i, columns.setdefault(feature, len(columns))))
            values.append(weight * scale)
    indices = torch.tensor(places, dtype=torch.long).reshape(-1, 2).T
    size = (len(pieces), max(1, len(columns)))
    return torch.sparse_coo_tensor(
        indices, torch.tensor(values), size, check_invariants=True
    ).coalesce()


def _kind(piece: str) -> str:
    body = piece.removeprefix(CONTINUATION)
    place = "continues" if len(body) < len(piece) else "begins"
    if any(c.isdigit() for c in body):
        case = "number"
    elif not any(c.isalpha() for c in body):
        case = "punctuation"
    elif body.islower():
        case = "lower"
    elif body.isupper() and len(body) > 1:
        case = "capitals"
    else:
        case = "capital"
    return f"{place} {case}"


def _letters(piece: str) -> list[str]:
    body = piece.removeprefix(CONTINUATION)
    if not any(c.isalpha() for c in body):
        return []
    lower = body.lower()
    endings = [f"-{lower[-n:]}" for n in _SUFFIXES if n <= len(lower)]
    beginnings = [f"{lower[:n]}-" for n in _PREFIXES if n <= len(lower)]
    return [*endings, *beginnings, f"={strip_accents(lower)}"]
