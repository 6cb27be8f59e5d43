"""Entities as one tag a word (IOB2: Tjong Kim Sang and Veenstra 1999) and back.

Tag 0 is O; entity type k begins with tag 1 + 2k and goes on with tag 2 + 2k.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

OUTSIDE = 0
MISSING = -1


def tag_count(types: int) -> int:
    """Number of tags for so many entity types."""
    return 1 + 2 * types


def tags_of(biluo: Iterable[str | None], types: Sequence[str]) -> np.ndarray:
    """BILUO or IOB2 names to (n,) int64 tags; `MISSING` for None, "-" and types not in `types`."""
    places = {name: place for place, name in enumerate(types)}
    tags = []
    for name in biluo:
        if name == "O":
            tags.append(OUTSIDE)
            continue
        action, _, label = (name or "-").partition("-")
        place = places.get(label)
        if place is None:
            tags.append(MISSING)
        else:
            tags.append(1 + 2 * place + (action in "IL"))
    return np.array(tags, dtype=np.int64)


def entities_of(tags: np.ndarray, lengths: Sequence[int]) -> list[list[tuple[int, int, int]]]:
    """Entities of each text; a tag that goes on with nothing begins an entity, as in conlleval.

    Args:
        tags: (T,) int64, those of all texts one after the other.
        lengths: words of each text.

    Returns:
        For each text (first word, the one after the last, type), in order.
    """
    found: list[list[tuple[int, int, int]]] = [[] for _ in lengths]
    ends = np.cumsum(np.asarray(lengths, dtype=np.int64))
    inside = tags != OUTSIDE
    if not inside.any():
        return found
    types = (tags - 1) // 2
    before = np.concatenate(([-1], np.where(inside, types, -1)[:-1]))
    starts = ends - np.asarray(lengths, dtype=np.int64)
    before[starts[starts < len(tags)]] = -1
    begins = inside & ((tags % 2 == 1) | (before != types))
    first = np.flatnonzero(begins)
    # an entity ends where the next one begins or where no word goes on with it
    goes_on = np.append(inside & ~begins, False)
    stops = np.flatnonzero(~goes_on)
    after = stops[np.searchsorted(stops, first + 1)]
    texts = np.searchsorted(ends, first, side="right")
    for text, begin, end, kind in zip(
        texts.tolist(), first.tolist(), after.tolist(), types[first].tolist(), strict=True
    ):
        found[text].append((begin - int(starts[text]), end - int(starts[text]), kind))
    return found


def tag_loss(scores: np.ndarray, tags: np.ndarray) -> tuple[float, np.ndarray]:
    """Cross-entropy of softmax(scores), its mean over tagged words, and its gradient.

    Args:
        scores: (T, tags) float32, numpy or cupy.
        tags: (T,) int64 of the same kind; words with `MISSING` count for nothing.

    Returns:
        The loss, and (T, tags) float32.
    """
    known = tags != MISSING
    count = max(1, int(known.sum()))
    shifted = scores - scores.max(axis=1, keepdims=True)
    powers = np.exp(shifted)  # of cupy arrays this is cupy's own
    totals = powers.sum(axis=1, keepdims=True)
    gradient = powers / totals
    (rows,) = known.nonzero()
    right = tags[rows]
    loss = (np.log(totals[rows, 0]) - shifted[rows, right]).sum() / count
    gradient[rows, right] -= 1
    gradient[~known] = 0
    gradient /= count
    return float(loss), gradient
