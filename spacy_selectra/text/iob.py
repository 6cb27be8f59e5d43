"""Entity tags of words (IOB2: Tjong Kim Sang and Veenstra 1999), and Viterbi decoding.

Tag 0 is O; tag 1 + 2k is B and tag 2 + 2k is I of entity type k.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from spacy_selectra.util.arrays import runs

OUTSIDE = 0
MISSING = -1
# Probability of O from which `best_tags` regards a word as outside.
CERTAIN = 0.999


def tag_count(types: int) -> int:
    """Number of tags for a number of entity types."""
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
    """Entities of each text; an I tag without a preceding tag of its type begins an entity, as in
    conlleval.

    Args:
        tags: (T,) int64, concatenated for all texts.
        lengths: number of words of each text.

    Returns:
        For each text (first word, the one after the last, type), in order.
    """
    found: list[list[tuple[int, int, int]]] = [[] for _ in lengths]
    sizes = np.asarray(lengths, dtype=np.int64)
    ends = np.cumsum(sizes)
    starts = ends - sizes
    inside = tags != OUTSIDE
    if not inside.any():
        return found
    types = (tags - 1) // 2
    before = np.concatenate(([-1], np.where(inside, types, -1)[:-1]))
    before[starts[starts < len(tags)]] = -1
    begins = inside & ((tags % 2 == 1) | (before != types))
    first = np.flatnonzero(begins)
    # an entity ends where the next one begins or where the next tag does not continue it
    goes_on = np.append(inside & ~begins, False)
    stops = np.flatnonzero(~goes_on)
    after = stops[np.searchsorted(stops, first + 1)]
    texts = np.searchsorted(ends, first, side="right")
    for text, begin, end, kind in zip(
        texts.tolist(), first.tolist(), after.tolist(), types[first].tolist(), strict=True
    ):
        found[text].append((begin - int(starts[text]), end - int(starts[text]), kind))
    return found


def best_tags(scores: np.ndarray, lengths: Sequence[int]) -> np.ndarray:
    """Viterbi decoding under IOB2 constraints: the most probable tags with I after B or I of its
    type only (Viterbi 1967).

    A word whose probability of O is above `CERTAIN` is regarded as outside. The remaining short
    stretches are searched in parallel.

    Args:
        scores: (T, tags) logits, concatenated for all texts.
        lengths: number of words of each text.

    Returns:
        (T,) int64.
    """
    return Stretches(scores, lengths).best_tags()


def begin_anew(scores: np.ndarray, firsts: np.ndarray) -> np.ndarray:
    """Scores with which no entity continues into some words.

    I gets a probability of 0 there. Its probability is given to B, because the word is just as
    likely to be in an entity; to all types in proportion, because the type of the entity before
    it says little.

    Args:
        scores: (T, tags) logits.
        firsts: (n,) int64, indices of the words.

    Returns:
        (T, tags) logits; `scores` itself if there are no such words.
    """
    if not len(firsts):
        return scores
    begins, goes_on = scores[firsts, 1::2], scores[firsts, 2::2]
    own = np.logaddexp.reduce(begins, axis=1, keepdims=True)
    all_mass = np.logaddexp(own, np.logaddexp.reduce(goes_on, axis=1, keepdims=True))
    bounded = scores.copy()
    bounded[firsts, 1::2] = begins + (all_mass - own)
    bounded[firsts, 2::2] = -np.inf
    return bounded


def log_probabilities(scores: np.ndarray) -> np.ndarray:
    """(T, tags) logits to log softmax."""
    logs = scores - scores.max(axis=1, keepdims=True)
    return logs - np.log(np.exp(logs).sum(axis=1, keepdims=True))


class Stretches:
    """Stretches of consecutive words that may belong to an entity, longest first.

    Args:
        scores: (T, tags) logits, concatenated for all texts.
        lengths: number of words of each text; stretches end with a text.

    Attributes:
        starts: (S,) int64, first word of each stretch.
        sizes: (S,) int64, number of its words.
    """

    def __init__(self, scores: np.ndarray, lengths: Sequence[int]) -> None:
        self.scores, self.lengths = scores, lengths
        self._logs = log_probabilities(scores)
        (open_words,) = (self._logs[:, OUTSIDE] <= math.log(CERTAIN)).nonzero()
        if not len(open_words):
            self.starts = self.sizes = np.zeros(0, dtype=np.int64)
            return
        text = np.repeat(np.arange(len(lengths)), lengths)[open_words]
        apart = (np.diff(open_words) > 1) | (np.diff(text) > 0)
        first = np.concatenate(([0], np.flatnonzero(apart) + 1))
        sizes = np.diff(np.append(first, len(open_words)))
        order = np.argsort(-sizes, kind="stable")
        self.starts, self.sizes = open_words[first][order], sizes[order]

    def best_tags(self) -> np.ndarray:
        """(T,) int64, see the function `best_tags`."""
        tags = np.zeros(len(self.scores), dtype=np.int64)
        if len(self.starts):
            tags[runs(self.starts, self.sizes)] = _search(self._logs, self.starts, self.sizes)
        return tags


def _search(logs: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Concatenated tags of the stretches that begin at `starts`, longest first."""
    count = logs.shape[1]
    alone = [OUTSIDE, *range(1, count, 2)]  # tags that may follow any tag
    inside = np.arange(2, count, 2)
    came_from = np.zeros((len(starts), sizes[0], count), dtype=np.int64)
    best = logs[starts].copy()
    best[:, inside] = -np.inf
    lasts = [best]
    for step in range(1, sizes[0]):
        active = int(np.searchsorted(-sizes, -step, side="left"))
        before = lasts[-1][:active]
        here = logs[starts[:active] + step].copy()
        top = before.argmax(axis=1)
        here[:, alone] += before[np.arange(active), top][:, None]
        came_from[:active, step][:, alone] = top[:, None]
        began, went_on = before[:, inside - 1], before[:, inside]
        here[:, inside] += np.maximum(began, went_on)
        came_from[:active, step, 2::2] = np.where(began >= went_on, inside - 1, inside)
        lasts.append(here)
    found = np.zeros((len(starts), sizes[0]), dtype=np.int64)
    for step in range(sizes[0] - 1, -1, -1):
        active = int(np.searchsorted(-sizes, -step, side="left"))
        ends = sizes[:active] == step + 1
        rows = np.arange(active)
        if step + 1 < sizes[0]:
            found[rows, step] = came_from[rows, step + 1, found[rows, step + 1]]
        found[rows[ends], step] = lasts[step][ends].argmax(axis=1)
    return found[np.arange(sizes[0])[None, :] < sizes[:, None]]


def tag_loss(scores: np.ndarray, tags: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean cross-entropy of softmax(scores) over tagged words, and its gradient.

    Args:
        scores: (T, tags) float32, numpy or cupy.
        tags: (T,) int64 of the same kind; words with `MISSING` are ignored.

    Returns:
        The loss, and (T, tags) float32.
    """
    known = tags != MISSING
    count = max(1, int(known.sum()))
    shifted = scores - scores.max(axis=1, keepdims=True)
    powers = np.exp(shifted)  # for cupy arrays this calls cupy
    totals = powers.sum(axis=1, keepdims=True)
    gradient = powers / totals
    (rows,) = known.nonzero()
    right = tags[rows]
    loss = (np.log(totals[rows, 0]) - shifted[rows, right]).sum() / count
    gradient[rows, right] -= 1
    gradient[~known] = 0
    gradient /= count
    return float(loss), gradient
