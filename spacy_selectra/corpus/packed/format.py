"""The format of packed corpora: `manifest.json` and memory-mapped shards of pieces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from spacy_selectra.errors import SelectraError
from spacy_selectra.text.tokenizer import Vocabulary
from spacy_selectra.util.files import (
    expanded,
    partial_directory,
    read_json,
    refuse_pointer,
    sha256_of,
)

MANIFEST = "manifest.json"
FORMAT = "spacy-selectra packed corpus"
FORMAT_VERSION = 1
Split = Literal["train", "heldout"]
SPLITS: tuple[Split, ...] = ("train", "heldout")


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Shard(_Record):
    """A file of pieces and its index.

    Attributes:
        file: flat array of piece ids, little-endian, of the manifest's `dtype`.
        index: .npy file, int64, shape (2, sequences): end of each sequence in `file`, and
            length of its first segment, [CLS] and first [SEP] included.
        sequences: number of sequences.
        tokens: number of pieces, special ones included.
        sha256: digest of `file`.
    """

    file: str
    index: str
    sequences: int
    tokens: int
    sha256: str


class SplitRecord(_Record):
    """Totals and files of a split; `unknown` counts the pieces that are [UNK]."""

    documents: int = 0
    sequences: int = 0
    tokens: int = 0
    unknown: int = 0
    shards: tuple[Shard, ...] = ()


class Source(_Record):
    """A source, with its size in bytes (None for the Hub)."""

    path: str
    bytes: int | None


class Manifest(_Record):
    """The content of `manifest.json`.

    Attributes:
        documents: number of documents read.
        empty: number of documents without pieces, which are left out.
        too_short: number of documents with fewer than `units.SHORTEST` pieces, likewise.
        unseen_entries: number of entries of the vocabulary, special tokens excluded, that do not
            occur in train; `piece-counts.npy` has the count of each entry.
    """

    format: str = FORMAT
    format_version: int = FORMAT_VERSION
    tokenizer_sha256: str
    vocab_size: int
    sequence_length: int
    dtype: Literal["uint16", "uint32"]
    seed: int
    heldout_share: float
    sources: tuple[Source, ...]
    heldout_sources: tuple[Source, ...] = ()
    documents: int
    empty: int
    too_short: int
    unseen_entries: int
    splits: dict[Split, SplitRecord]


def read_manifest(directory: str | Path) -> Manifest:
    """Read and check the manifest of a packed corpus.

    Raises:
        SelectraError: not a packed corpus, unfinished, or another format version.
    """
    directory = expanded(directory)
    path = directory / MANIFEST
    if not path.is_file():
        partial = partial_directory(directory)
        hint = f"; packing is not finished (there is {partial})" if partial.is_dir() else ""
        raise SelectraError(f"{directory}: not a packed corpus, it has no {MANIFEST}{hint}")
    values = read_json(path)
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise SelectraError(f"{path}: not the manifest of a packed corpus")
    if values.get("format_version") != FORMAT_VERSION:
        raise SelectraError(
            f"{path}: format version {values.get('format_version')}, this version of "
            f"spacy-selectra reads {FORMAT_VERSION}; pack the corpus again"
        )
    try:
        return Manifest.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        raise SelectraError(f"{path}: damaged manifest ({place}: {problem['msg']})") from error


@dataclass(frozen=True)
class Batch:
    """A packed batch: B sequences in flat arrays of T pieces, without padding.

    Attributes:
        input_ids: int64, shape (T,); T is the sum of `lengths`.
        lengths: int32, shape (B,); pieces of each sequence, [CLS] and [SEP] included.
        type_ids: int64, shape (T,); 1 in second segments (with their [SEP]), else 0.
        epoch: pass over the corpus, from 0, that the first sequence belongs to.
        first: number of the first sequence in the run; the others are consecutive.
    """

    input_ids: np.ndarray
    lengths: np.ndarray
    type_ids: np.ndarray
    epoch: int
    first: int = 0


class PackedCorpus:
    """One split of a packed corpus, memory-mapped.

    Args:
        directory: output of `selectra corpus pack`.
        split: "train" or "heldout".
        vocabulary: of the tokenizer with which the corpus must have been packed.

    Attributes:
        manifest: see `Manifest`.
        n_sequences: number of sequences of the split.
        n_tokens: number of pieces of the split, special ones included.

    Raises:
        SelectraError: not a packed corpus, an unknown or empty split, a truncated or
            missing file, or another vocabulary.
    """

    def __init__(
        self, directory: str | Path, split: Split = "train", vocabulary: Vocabulary | None = None
    ) -> None:
        self.directory = expanded(directory)
        self.manifest: Manifest = read_manifest(directory)
        if split not in self.manifest.splits:
            known = " or ".join(self.manifest.splits)
            raise SelectraError(f"{directory}: no split '{split}' (there is {known})")
        self.split: Split = split
        record = self.manifest.splits[split]
        if not record.sequences:
            raise SelectraError(
                f"{directory}: the split '{split}' is empty; pack it with a larger --heldout share "
                "(of documents) or with --heldout-from, or train without held-out text "
                "(training.evaluate_every null)"
            )
        if vocabulary and vocabulary.fingerprint != self.manifest.tokenizer_sha256:
            raise SelectraError(
                f"vocabulary does not match: {directory} was packed with another tokenizer than "
                f"{vocabulary.directory}; pack it again with this one"
            )
        self.n_sequences, self.n_tokens = record.sequences, record.tokens
        self._pieces = [self._map_pieces(shard) for shard in record.shards]
        self._indices = [self._map_index(shard) for shard in record.shards]
        # Sequence i is in the last shard whose first sequence is at most i.
        sizes = [shard.sequences for shard in record.shards]
        self._first = np.concatenate([[0], np.cumsum(sizes)])

    def sequence(self, index: int) -> tuple[np.ndarray, int]:
        """(ids, length of the first segment with its special pieces) of a sequence.

        The ids are uint16 or uint32, shape (pieces,), [CLS] and [SEP] included, read-only.

        Raises:
            IndexError: no such sequence.
        """
        if not 0 <= index < self.n_sequences:
            raise IndexError(f"sequence {index} of {self.n_sequences}")
        shard = int(np.searchsorted(self._first, index, side="right")) - 1
        place = index - int(self._first[shard])
        ends, first_lengths = self._indices[shard]
        start = int(ends[place - 1]) if place else 0
        return self._pieces[shard][start : int(ends[place])], int(first_lengths[place])

    def lengths(self) -> np.ndarray:
        """int32, shape (n_sequences,): pieces of each sequence."""
        parts = [np.diff(index[0], prepend=0).astype(np.int32) for index in self._indices]
        return np.concatenate(parts)

    def batch(self, indices: np.ndarray, epoch: int = 0, max_length: int | None = None) -> Batch:
        """The sequences of `indices`, in this order.

        With `max_length`, longer sequences are truncated: the last piece kept is replaced by
        [SEP], and a second segment without remaining text is dropped.
        """
        parts: list[np.ndarray] = []
        lengths = np.empty(len(indices), dtype=np.int32)
        first = np.empty(len(indices), dtype=np.int64)
        for place, index in enumerate(indices.tolist()):
            ids, first_length = self.sequence(index)
            if max_length is not None and len(ids) > max_length:
                # A second segment needs at least one piece in addition to its [SEP].
                kept = first_length if first_length + 1 == max_length else max_length
                ids = np.concatenate([ids[: kept - 1], ids[-1:]])
            parts.append(ids)
            lengths[place] = len(ids)
            first[place] = min(first_length, len(ids))
        input_ids = np.concatenate(parts).astype(np.int64)
        starts = np.cumsum(lengths, dtype=np.int64) - lengths
        type_ids = np.arange(len(input_ids)) >= np.repeat(starts + first, lengths)
        return Batch(input_ids, lengths, type_ids.astype(np.int64), epoch)

    def verify(self, progress: Callable[[], None] = lambda: None) -> None:
        """Compare the digest of every file with the manifest.

        Raises:
            SelectraError: the contents of a file have changed since packing.
        """
        for shard in self.manifest.splits[self.split].shards:
            refuse_pointer(self.directory / shard.file)
            if sha256_of(self.directory / shard.file) != shard.sha256:
                raise SelectraError(
                    f"{self.directory / shard.file}: contents have changed since packing; "
                    "pack the corpus again"
                )
            progress()

    def _map_pieces(self, shard: Shard) -> np.ndarray:
        path = self.directory / shard.file
        dtype = np.dtype(self.manifest.dtype).newbyteorder("<")
        expected = shard.tokens * dtype.itemsize
        found = path.stat().st_size if path.is_file() else None
        if found != expected:
            refuse_pointer(path)
            state = "is missing" if found is None else f"has {found:,} bytes, not {expected:,}"
            raise SelectraError(f"{path} {state}: copy the corpus again or pack it again")
        # A plain array: slices of np.memmap cost four times as much.
        return np.asarray(np.memmap(path, dtype=dtype, mode="r"))

    def _map_index(self, shard: Shard) -> np.ndarray:
        path = self.directory / shard.index
        refuse_pointer(path)
        try:
            index = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise SelectraError(
                f"{path}: missing or truncated ({error}): copy the corpus again or pack it again"
            ) from error
        if index.shape != (2, shard.sequences) or index[0, -1] != shard.tokens:
            raise SelectraError(f"{path}: does not fit {shard.file}; pack the corpus again")
        return np.asarray(index)
