"""Batches of a packed corpus: shuffled, exactly resumable, prefetched in a thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Generic, TypeVar

import numpy as np

from spacy_selectra.corpus.packed.format import Batch, PackedCorpus
from spacy_selectra.errors import SelectraError

Prepared = TypeVar("Prepared")
_POLL = 0.1  # seconds between checks whether to stop


class BatchLoader:
    """Endless batches, with a new permutation of the corpus in each epoch.

    The permutations follow each other without gaps, so a batch may reach into the next epoch. The
    k-th `world_size * batch_size` sequences are batch k, and each rank gets `batch_size` of them.
    No sequence is dropped, and the order does not depend on `world_size`.

    Args:
        corpus: the corpus.
        batch_size: sequences per batch of this rank.
        seed: of the permutations; that of an epoch depends on seed and epoch only.
        rank: number of this process, from 0.
        world_size: number of processes.
        max_length: truncate longer sequences, see `PackedCorpus.batch`.
        shuffle: if False, keep the order of the corpus.
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
        """The position after the last batch, as JSON values."""
        return {
            "sequences_seen": self._position,
            "seed": self.seed,
            "shuffle": self.shuffle,
            "n_sequences": self.corpus.n_sequences,
            "n_tokens": self.corpus.n_tokens,
            "tokenizer_sha256": self.corpus.manifest.tokenizer_sha256,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue at a position; batch size and world size may have changed.

        Raises:
            SelectraError: the state belongs to another corpus or another order.
        """
        own = self.state_dict()
        for key, value in own.items():
            if key not in state:
                raise SelectraError(f"damaged loader state: no '{key}'")
            if key != "sequences_seen" and state[key] != value:
                raise SelectraError(
                    f"cannot resume with {self.corpus.directory}: its {key} is {value}, "
                    f"that of the checkpoint is {state[key]}"
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
        batch_size: sequences per batch.
        max_length: truncate sequences to this many pieces.
        sequences: maximum number of sequences, evenly spaced so that all sources keep their
            shares.
    """
    count = min(sequences or corpus.n_sequences, corpus.n_sequences)
    chosen = np.arange(count) * corpus.n_sequences // count
    for start in range(0, count, batch_size):
        batch = corpus.batch(chosen[start : start + batch_size], 0, max_length)
        yield replace(batch, first=start)


class Prefetcher(Generic[Prepared]):
    """Prefetches batches of a `BatchLoader` in a thread, with the same batches and states.

    `state_dict` is that of the last batch returned, not of the last one prefetched. Nothing else
    may use the loader.

    Args:
        loader: the loader.
        prepare: called with each batch in the thread; must not keep state.
        depth: number of batches to prefetch.
    """

    def __init__(
        self, loader: BatchLoader, prepare: Callable[[Batch], Prepared], depth: int = 4
    ) -> None:
        self._loader = loader
        self._prepare = prepare
        self._depth = depth
        self._state = loader.state_dict()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._queue: queue.Queue[tuple[Prepared, dict[str, Any]] | BaseException]
        self._queue = queue.Queue(depth)

    def __enter__(self) -> Prefetcher[Prepared]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Prepared]:
        return self

    def __next__(self) -> Prepared:
        if self._thread is None:
            self._start()
        item = self._queue.get()
        if isinstance(item, BaseException):
            self.close()
            raise item
        batch, self._state = item
        return batch

    def state_dict(self) -> dict[str, Any]:
        """The loader's state after the last batch returned."""
        return dict(self._state)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state; prefetched batches are discarded.

        Raises:
            SelectraError: the state belongs to another corpus.
        """
        self.close()
        self._loader.load_state_dict(state)
        self._state = self._loader.state_dict()

    def close(self) -> None:
        """End the thread and set the loader back to the last batch returned."""
        if self._thread is None:
            return
        self._stop.set()
        self._thread.join()
        self._thread = None
        self._loader.load_state_dict(self._state)

    def _start(self) -> None:
        self._stop = threading.Event()
        self._queue = queue.Queue(self._depth)
        self._thread = threading.Thread(
            target=self._work, args=(self._stop, self._queue), name="prefetch", daemon=True
        )
        self._thread.start()

    def _work(self, stop: threading.Event, ready: queue.Queue[Any]) -> None:
        while not stop.is_set():
            item: Any
            try:
                item = (self._prepare(next(self._loader)), self._loader.state_dict())
            except BaseException as error:
                item = error
            while not stop.is_set():
                try:
                    ready.put(item, timeout=_POLL)
                    break
                except queue.Full:
                    continue
            if isinstance(item, BaseException):
                return
