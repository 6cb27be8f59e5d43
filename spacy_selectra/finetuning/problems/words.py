"""Words as the pieces of any tokenizer, and long sentences as windows of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from spacy_selectra.finetuning.features import TEXTS_PER_CALL

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class WordPieces(NamedTuple):
    """A sentence of W words as n pieces.

    Attributes:
        ids: (n,) int64.
        words: (n,) int64, the word whose first piece this is, -1 for others.
    """

    ids: np.ndarray
    words: np.ndarray


class Window(NamedTuple):
    """Pieces `begin` to `end` of a sentence; it answers for those from `first` to `last`."""

    begin: int
    end: int
    first: int
    last: int


def word_pieces(tokenizer: Tokenizer, sentences: Sequence[Sequence[str]]) -> list[WordPieces]:
    """Tokenise sentences given as words.

    Words are joined by spaces and found again by their characters, which is the same for
    WordPiece, byte-level BPE and SentencePiece: those mark a space on the piece behind it. A word
    may have no piece (control characters); the first piece of several written as one is the
    first word's.
    """
    found = []
    for begin in range(0, len(sentences), TEXTS_PER_CALL):
        some = sentences[begin : begin + TEXTS_PER_CALL]
        texts = [" ".join(words) for words in some]
        encoded = tokenizer.encode_batch(texts, add_special_tokens=False)
        for words, encoding in zip(some, encoded, strict=True):
            ids = np.array(encoding.ids, dtype=np.int64)
            offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
            found.append(WordPieces(ids, _first_pieces(words, offsets)))
    return found


def windows(words: np.ndarray, room: int) -> list[Window]:
    """Share out (n,) pieces over windows of at most `room`, evenly, half of it overlapping.

    Every piece is answered for by one window, in which it is at least a quarter of `room` away
    from where text was cut off. Windows begin with the first piece of a word, unless a word
    fills more than half of one.
    """
    count = len(words)
    if count <= room:
        return [Window(0, count, 0, count)]
    number = -(-(count - room) // (room // 2)) + 1
    begins = np.linspace(0, count - room, number).astype(np.int64)
    starts = np.flatnonzero(words >= 0)
    for place in range(1, number):
        # a little later, at the next word; the window before reaches far beyond
        nearest = np.searchsorted(starts, begins[place])
        if nearest < len(starts) and starts[nearest] - begins[place] < room // 8:
            begins[place] = starts[nearest]
    ends = np.minimum(begins + room, count)
    borders = [0, *((begins[1:] + ends[:-1]) // 2).tolist(), count]
    return [
        Window(int(begin), int(end), borders[place], borders[place + 1])
        for place, (begin, end) in enumerate(zip(begins, ends, strict=True))
    ]


def _first_pieces(words: Sequence[str], offsets: np.ndarray) -> np.ndarray:
    """(n,) word that begins with each piece, -1 for none; `offsets` are (n, 2) characters."""
    sizes = np.array([len(word) for word in words], dtype=np.int64)
    starts = np.cumsum(sizes + 1) - (sizes + 1)
    # the last character: a piece may begin with the space before its word
    last = np.maximum(offsets[:, 1] - 1, 0)
    word = np.searchsorted(starts, last, side="right") - 1
    inside = (offsets[:, 1] > offsets[:, 0]) & (word >= 0)
    inside &= last < (starts + sizes)[np.maximum(word, 0)] if len(words) else False
    owner = np.where(inside, word, -1)
    found, first = np.unique(owner, return_index=True)
    result = np.full(len(offsets), -1, dtype=np.int64)
    result[first[found >= 0]] = found[found >= 0]
    return result
