"""Units of packing: consecutive documents, cut into sequences independently of other units.

A packed unit depends only on its texts, its number and the settings. So the corpus is the same for
any number of processes, and finished units can be reused after an interruption.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from spacy_selectra.corpus.holdout import is_heldout
from spacy_selectra.corpus.packed.format import SPLITS
from spacy_selectra.text.encode import CachedEncoder
from spacy_selectra.text.normalization import CONTINUATION
from spacy_selectra.text.tokenizer import entries
from spacy_selectra.util.files import atomic_file

DOCUMENTS_PER_UNIT = 1024
CHARACTERS_PER_UNIT = 4_000_000  # after these a unit ends early, to limit memory
_SENTENCE_ENDS = (".", "!", "?", "…")


@dataclass(frozen=True)
class Unit:
    """Consecutive documents.

    Attributes:
        number: in the corpus, from 0.
        texts: the documents.
        digest: hex digest of the texts, to recognise the unit on a restart.
        heldout: whether all documents are held out, whatever their hash.
    """

    number: int
    texts: list[str]
    digest: str
    heldout: bool


@dataclass(frozen=True)
class UnitSettings:
    """The settings that determine how a unit is packed.

    Attributes:
        length: longest sequence in pieces, special ones included.
        heldout: share of held-out documents.
        seed: of the random choices.
    """

    length: int
    heldout: float
    seed: int


def units_of(texts: Iterable[str], first: int = 0, *, heldout: bool = False) -> Iterator[Unit]:
    """Group documents into units, numbered from `first`."""
    number, group, size = first, [], 0
    for text in texts:
        group.append(text)
        size += len(text)
        if len(group) == DOCUMENTS_PER_UNIT or size >= CHARACTERS_PER_UNIT:
            yield Unit(number, group, _digest(group), heldout)
            number, group, size = number + 1, [], 0
    if group:
        yield Unit(number, group, _digest(group), heldout)


def _digest(texts: Sequence[str]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


@dataclass
class PackedUnit:
    """Sequences of a unit.

    Attributes:
        counts: int64, (documents, empty, too short, train documents, held-out documents,
            [UNK] in train, [UNK] in held-out).
        pieces: for each split the concatenated sequences.
        lengths: for each split int64, shape (2, sequences): lengths of sequences and of their
            first segments.
    """

    counts: np.ndarray
    pieces: dict[str, np.ndarray]
    lengths: dict[str, np.ndarray]

    def save(self, path: Path) -> None:
        """Write to an .npz file, atomically."""
        arrays = {"counts": self.counts}
        for split in SPLITS:
            arrays[f"{split}_pieces"] = self.pieces[split]
            arrays[f"{split}_lengths"] = self.lengths[split]
        with atomic_file(path) as temporary, open(temporary, "wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]

    @staticmethod
    def read_counts(path: Path) -> np.ndarray:
        """`counts` of a unit on disk."""
        with np.load(path, allow_pickle=False) as arrays:
            return arrays["counts"]

    @staticmethod
    def read_split(path: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
        """`pieces` and `lengths` of one split of a unit on disk."""
        with np.load(path, allow_pickle=False) as arrays:
            return arrays[f"{split}_pieces"], arrays[f"{split}_lengths"]


class UnitPacker:
    """Tokenises the documents of a unit and cuts them into sequences."""

    def __init__(self, tokenizer: Tokenizer, settings: UnitSettings) -> None:
        self._settings = settings
        self._encoder = CachedEncoder(tokenizer)
        words = entries(tokenizer)
        self.dtype = piece_type(len(words))
        self._starts_word = np.array([not word.startswith(CONTINUATION) for word in words])
        self._ends_sentence = np.array([word in _SENTENCE_ENDS for word in words])
        self._cls, self._sep, self._unk = (
            tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]", "[UNK]")
        )

    @classmethod
    def of(cls, tokenizer: str, settings: UnitSettings) -> UnitPacker:
        """For workers: from the JSON of a tokenizer, whose files another machine may not have."""
        return cls(Tokenizer.from_str(tokenizer), settings)

    def __call__(self, unit: Unit) -> PackedUnit:
        """The sequences of a unit."""
        # SeedSequence mixes both numbers, so that units have independent random numbers.
        generator = np.random.default_rng([self._settings.seed, unit.number])
        cutter = SequenceCutter(self._settings.length, generator)
        counts = np.zeros(7, dtype=np.int64)
        sequences: dict[str, list[np.ndarray]] = {split: [] for split in SPLITS}
        lengths: dict[str, list[tuple[int, int]]] = {split: [] for split in SPLITS}
        for text, ids, sentence_ends in self._encoded(unit.texts):
            counts[0] += 1
            if len(ids) < SHORTEST:
                counts[1 if len(ids) == 0 else 2] += 1
                continue
            heldout = unit.heldout or is_heldout(text, self._settings.heldout)
            split = SPLITS[heldout]
            counts[3 + heldout] += 1
            counts[5 + heldout] += np.count_nonzero(ids == self._unk)
            for span in cutter.cut(self._starts_word[ids], sentence_ends):
                sequences[split].append(self._sequence(ids, span))
                first = span.split - span.start + 2
                lengths[split].append((len(sequences[split][-1]), first))
        return PackedUnit(
            counts,
            {
                split: np.concatenate([np.empty(0, self.dtype), *sequences[split]])
                for split in SPLITS
            },
            {split: np.array(lengths[split], dtype=np.int64).reshape(-1, 2).T for split in SPLITS},
        )

    def _encoded(self, texts: list[str]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """(text, ids, whether a sentence or line ends after each piece) of every document."""
        lines = [text.split("\n") for text in texts]
        encoded = iter(self._encoder.encode([line for group in lines for line in group]))
        for text, group in zip(texts, lines, strict=True):
            parts = [next(encoded) for _ in group]
            ids = np.concatenate(parts)
            ends = self._ends_sentence[ids]
            line_ends = np.cumsum([len(part) for part in parts]) - 1
            ends[line_ends[line_ends >= 0]] = True
            yield text, ids, ends

    def _sequence(self, ids: np.ndarray, span: Span) -> np.ndarray:
        parts = [[self._cls], ids[span.start : span.split], [self._sep]]
        if span.split < span.end:
            parts += [ids[span.split : span.end], [self._sep]]
        return np.concatenate(parts).astype(self.dtype)


def piece_type(vocab_size: int) -> np.dtype:
    """The smallest little-endian integer type for all ids."""
    return np.dtype("<u2" if vocab_size <= 1 << 16 else "<u4")


# Cutting a document into training sequences of one or two segments.
#
# After ELECTRA's example builder (Clark et al. 2020, `build_pretraining_dataset.py`): a sequence
# is filled up to the target length; 10% of the sequences are one segment `[CLS] A [SEP]`, the
# others `[CLS] A [SEP] B [SEP]`; after 5% of the sequences the next target length is random. A
# sequence never mixes documents. There are two differences. No text is dropped: where ELECTRA
# truncates, here the next sequence continues, if possible at the beginning of a word. And a segment
# may end at the end of a sentence as well as of a line, because in many corpora lines are whole
# paragraphs.


ONE_SEGMENT = 0.1
SHORTER = 0.05
SHORTEST = 5


@dataclass(frozen=True)
class Span:
    """A sequence as positions in the pieces of its document: A = [start, split), B = [split, end).

    If `split == end`, there is only one segment.
    """

    start: int
    split: int
    end: int


class SequenceCutter:
    """Cuts documents into sequences; the result depends on the generator's state.

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
            starts_word: bool, shape (pieces,): whether a piece is the first of a word.
            ends_sentence: bool, shape (pieces,): whether a sentence or line ends after a piece.
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
        """Start of the second segment.

        The sentence that crosses the middle of the target length belongs to the first segment in
        half of the cases, and always if it is the first sentence.
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
