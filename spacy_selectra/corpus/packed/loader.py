"""Reading a packed corpus: random access, shuffled batches, exact resumption."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spacy_selectra.corpus.packed.format import Manifest, Shard, Split, read_manifest
from spacy_selectra.errors import SelectraError
from spacy_selectra.text.tokenizer import fingerprint
from spacy_selectra.util.files import sha256_of


@dataclass(frozen=True)
class Batch:
    """Sequences one after the other, without padding.

    Attributes:
        input_ids: int64, shape (T,); T is the sum of `lengths`.
        lengths: int32, shape (B,); pieces of each sequence, [CLS] and [SEP] included.
        type_ids: int64, shape (T,); 1 in second segments (with their [SEP]), else 0.
        epoch: pass over the corpus, from 0, that the first sequence belongs to.
        first: number of the first sequence in the endless order of a run; the others follow.
    """

    input_ids: np.ndarray
    lengths: np.ndarray
    type_ids: np.ndarray
    epoch: int
    first: int = 0


class PackedCorpus:
    """One split of a packed corpus, memory-mapped.

    Args:
        directory: what `selectra corpus pack` made.
        split: "train" or "heldout".
        tokenizer: tokenizer directory the corpus must have been packed with.

    Attributes:
        manifest: see `format.Manifest`.
        n_sequences: number of sequences of the split.
        n_tokens: number of pieces of the split, special ones included.

    Raises:
        SelectraError: not a packed corpus, an unknown or empty split, a truncated or
            missing file, or another vocabulary.
    """

    def __init__(
        self, directory: str | Path, split: Split = "train", tokenizer: str | Path | None = None
    ) -> None:
        self.directory = Path(directory)
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
        if tokenizer is not None and fingerprint(tokenizer) != self.manifest.tokenizer_sha256:
            raise SelectraError(
                f"vocabulary does not match: {directory} was packed with another tokenizer than "
                f"{tokenizer}; pack it again with this one"
            )
        self.n_sequences, self.n_tokens = record.sequences, record.tokens
        self._pieces = [self._map_pieces(shard) for shard in record.shards]
        self._indices = [self._map_index(shard) for shard in record.shards]
        # Sequence i lies in the last shard whose first sequence is at most i.
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

        With `max_length`, longer sequences are cut there: the last piece kept is replaced
        by [SEP], and a second segment left without text is dropped.
        """
        parts: list[np.ndarray] = []
        lengths = np.empty(len(indices), dtype=np.int32)
        first = np.empty(len(indices), dtype=np.int64)
        for place, index in enumerate(indices.tolist()):
            ids, first_length = self.sequence(index)
            if max_length is not None and len(ids) > max_length:
                # A second segment needs a piece of text beside its [SEP].
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
            SelectraError: a file has other contents than when it was packed.
        """
        for shard in self.manifest.splits[self.split].shards:
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
            state = "is missing" if found is None else f"has {found:,} bytes, not {expected:,}"
            raise SelectraError(f"{path} {state}: copy the corpus again or pack it again")
        # A plain array: slices of np.memmap cost four times as much.
        return np.asarray(np.memmap(path, dtype=dtype, mode="r"))

    def _map_index(self, shard: Shard) -> np.ndarray:
        path = self.directory / shard.index
        try:
            index = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise SelectraError(
                f"{path}: missing or truncated ({error}): copy the corpus again or pack it again"
            ) from error
        if index.shape != (2, shard.sequences) or index[0, -1] != shard.tokens:
            raise SelectraError(f"{path}: does not fit {shard.file}; pack the corpus again")
        return np.asarray(index)


class BatchLoader:
    """Batches without end: one permutation of the corpus after the other.

    Batch number k of all ranks together is the k-th run of `world_size * batch_size`
    sequences of that endless order (it may reach into the next epoch), and each rank takes its
    `batch_size` of it. Nothing is dropped, and the order does not depend on `world_size`.

    Args:
        corpus: what to read.
        batch_size: sequences per batch of this rank.
        seed: of the permutations; the one of an epoch depends on (seed, epoch) only.
        rank: number of this process, from 0.
        world_size: number of processes that share the work.
        max_length: longer sequences are cut, see `PackedCorpus.batch`.
        shuffle: False reads in the order of the corpus.

    Raises:
        SelectraError: a setting out of range.
    """

    def __init__(
        self,
        corpus: PackedCorpus,
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        max_length: int | None = None,
        shuffle: bool = True,
    ) -> None:
        if batch_size < 1:
            raise SelectraError(f"batch_size must be at least 1 (found {batch_size})")
        if not 0 <= rank < world_size:
            raise SelectraError(f"rank must be in [0, {world_size}) (found {rank})")
        if max_length is not None and max_length < 3:
            raise SelectraError(f"max_length must be at least 3 (found {max_length})")
        self.corpus = corpus
        self.batch_size = batch_size
        self.seed = seed
        self.rank, self.world_size = rank, world_size
        self.max_length = max_length
        self.shuffle = shuffle
        self._position = 0  # sequences consumed by all ranks together
        self._order: tuple[int, np.ndarray] | None = None

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        start = self._position + self.rank * self.batch_size
        self._position += self.world_size * self.batch_size
        epoch = start // self.corpus.n_sequences
        batch = self.corpus.batch(self._indices(start), epoch, self.max_length)
        return replace(batch, first=start)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue after the last batch; plain values for JSON."""
        return {
            "sequences_seen": self._position,
            "seed": self.seed,
            "shuffle": self.shuffle,
            "n_sequences": self.corpus.n_sequences,
            "n_tokens": self.corpus.n_tokens,
            "tokenizer_sha256": self.corpus.manifest.tokenizer_sha256,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict` was taken; batch and world size may have changed.

        Raises:
            SelectraError: the state belongs to another corpus or another order.
        """
        own = self.state_dict()
        for key, value in own.items():
            if key not in state:
                raise SelectraError(f"damaged loader state: no '{key}'")
            if key != "sequences_seen" and state[key] != value:
                raise SelectraError(
                    f"cannot resume in {self.corpus.directory}: its {key} is {value}, "
                    f"the checkpoint's is {state[key]}"
                )
        self._position = int(state["sequences_seen"])

    def _indices(self, start: int) -> np.ndarray:
        parts: list[np.ndarray] = []
        missing = self.batch_size
        while missing:
            epoch, place = divmod(start, self.corpus.n_sequences)
            part = self._permutation(epoch)[place : place + missing]
            parts.append(part)
            missing -= len(part)
            start += len(part)
        return np.concatenate(parts)

    def _permutation(self, epoch: int) -> np.ndarray:
        if self._order is None or self._order[0] != epoch:
            size = self.corpus.n_sequences
            order = np.arange(size, dtype=np.int32 if size < 1 << 31 else np.int64)
            if self.shuffle:
                np.random.default_rng([self.seed, epoch]).shuffle(order)
            self._order = (epoch, order)
        return self._order[1]


def sequence_batches(
    corpus: PackedCorpus,
    batch_size: int,
    max_length: int | None = None,
    sequences: int | None = None,
) -> Iterator[Batch]:
    """One pass in the order of the corpus, for evaluation; the last batch may be smaller.

    Args:
        corpus: a split.
        batch_size: sequences of a batch.
        max_length: cut them to so many pieces.
        sequences: take only so many, at even distances over the whole corpus: its sources, which
            lie one after the other, keep their shares.
    """
    count = min(sequences or corpus.n_sequences, corpus.n_sequences)
    chosen = np.arange(count) * corpus.n_sequences // count
    for start in range(0, count, batch_size):
        batch = corpus.batch(chosen[start : start + batch_size], 0, max_length)
        yield replace(batch, first=start)
