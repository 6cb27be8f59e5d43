"""Units of packing: some consecutive documents, packed independently of all others.

A unit's result depends on its texts, its number and the settings only. So the
corpus is the same for any number of processes, and finished units survive a kill.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from spacy_selectra.corpus.heldout import is_heldout
from spacy_selectra.corpus.manifest import SPLITS
from spacy_selectra.corpus.pieces import CachedEncoder
from spacy_selectra.corpus.segments import SHORTEST, SequenceCutter, Span
from spacy_selectra.corpus.tokenizer import CONTINUATION, entries
from spacy_selectra.files import atomic_file

DOCUMENTS_PER_UNIT = 1024
CHARACTERS_PER_UNIT = 4_000_000  # ends a unit earlier, which bounds the memory of a process
_SENTENCE_ENDS = (".", "!", "?", "…")


@dataclass(frozen=True)
class Unit:
    """Consecutive documents.

    Attributes:
        number: place in the corpus, from 0.
        texts: the documents.
        digest: hex digest of the texts, to recognise the unit on a restart.
        heldout: all documents are held out, whatever their hash says.
    """

    number: int
    texts: list[str]
    digest: str
    heldout: bool


@dataclass(frozen=True)
class UnitSettings:
    """What decides, beside texts and number, how a unit is packed.

    Attributes:
        length: longest sequence in pieces, special ones included.
        heldout: share of the documents that are held out.
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
        pieces: for each split all sequences one after the other.
        lengths: for each split int64, shape (2, sequences): whole length, first segment's.
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

    def pack(self, unit: Unit) -> PackedUnit:
        """The sequences of a unit."""
        # SeedSequence mixes both numbers, so that neighbouring units are unrelated.
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
    """The smallest type of file that holds all ids, little-endian."""
    return np.dtype("<u2" if vocab_size <= 1 << 16 else "<u4")
