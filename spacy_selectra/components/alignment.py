"""Which pieces belong to which word, from character offsets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from spacy.tokens import Doc

from spacy_selectra.components.windows import Windows, token_starts


def align(docs: Sequence[Doc], windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    """Every piece that overlaps a token's characters, over all windows it is in.

    A space after a token counts as part of it, and special pieces belong to nothing:
    the rule of spacy-transformers.

    Returns:
        (P,) int64 rows of the packed batch, token after token, in order of row, and
        (tokens of all docs,) int64 number of rows of each token.
    """
    starts = np.concatenate(
        [
            np.zeros((0,), dtype=np.int64),
            *(token_starts(doc) + base for doc, base in zip(docs, windows.bases, strict=True)),
        ]
    )
    rows = np.flatnonzero(windows.characters[:, 1] > windows.characters[:, 0])
    first = np.searchsorted(starts, windows.characters[rows, 0], side="right") - 1
    last = np.searchsorted(starts, windows.characters[rows, 1] - 1, side="right") - 1
    counts = last - first + 1
    ends = np.cumsum(counts)
    within = np.arange(counts.sum()) - np.repeat(ends - counts, counts)
    tokens = np.repeat(first, counts) + within
    order = np.argsort(tokens, kind="stable")
    return np.repeat(rows, counts)[order], np.bincount(tokens, minlength=len(starts))
