"""Cutting a document into training sequences of one or two segments.

After ELECTRA's example builder (Clark et al. 2020, `build_pretraining_dataset.py`):
a sequence is filled up to the target length; 10% of the sequences are one segment
`[CLS] A [SEP]`, the others `[CLS] A [SEP] B [SEP]`; after 5% of the sequences the next
target length is random. It differs in two ways. Text is never thrown away: where
ELECTRA truncates what exceeds the length, here the next sequence goes on from there, at
the beginning of a word (if one begins within the target length). And segments may also
meet at the end of a sentence, not only of a line, because lines are whole paragraphs in
many corpora. As there, a sequence never mixes documents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ONE_SEGMENT = 0.1
SHORTER = 0.05
SHORTEST = 5


@dataclass(frozen=True)
class Span:
    """A sequence as positions in the pieces of its document: A = [start, split), B = [split, end).

    One segment if `split == end`.
    """

    start: int
    split: int
    end: int


class SequenceCutter:
    """Cuts one document after the other; the outcome depends on the generator's state.

    Args:
        length: longest sequence in pieces, [CLS] and [SEP] included; at least 8.
        generator: source of the random choices.
    """

    def __init__(self, length: int, generator: np.random.Generator) -> None:
        self._length = length
        self._random = generator
        self._target = length

    def cut(self, starts_word: np.ndarray, ends_sentence: np.ndarray) -> list[Span]:
        """Spans that cover all pieces of a document, in order and without overlap.

        Args:
            starts_word: bool, shape (pieces,); whether the piece is the first of a word.
            ends_sentence: bool, shape (pieces,); whether a sentence or line ends after it.
        """
        size = len(starts_word)
        word_starts = np.flatnonzero(starts_word)
        sentence_starts = np.flatnonzero(ends_sentence) + 1
        spans: list[Span] = []
        start = 0
        while start < size:
            single = self._random.random() < ONE_SEGMENT
            end = min(start + max(1, self._target - (2 if single else 3)), size)
            if end < size:
                end = _last_between(word_starts, start, end) or end
            split = end if single else self._split(sentence_starts, start, end)
            spans.append(Span(start, split, end))
            start = end
            if self._random.random() < SHORTER:
                self._target = int(self._random.integers(SHORTEST, self._length + 1))
            else:
                self._target = self._length
        return spans

    def _split(self, sentence_starts: np.ndarray, start: int, end: int) -> int:
        """Where the second segment starts: the sentence that crosses the middle of the target
        belongs to the first segment in half of the cases, and always if it is the only one there.
        """
        middle = start + (self._target - 3) // 2
        before = _last_between(sentence_starts, start, min(middle, end - 1))
        index = int(np.searchsorted(sentence_starts, max(middle, start + 1), side="left"))
        after = int(sentence_starts[index]) if index < len(sentence_starts) else end
        after = min(after, end)
        if before is None or self._random.random() < 0.5:
            return after
        return before


def _last_between(positions: np.ndarray, low: int, high: int) -> int | None:
    """The largest position p with low < p <= high."""
    index = int(np.searchsorted(positions, high, side="right")) - 1
    if index >= 0 and positions[index] > low:
        return int(positions[index])
    return None
