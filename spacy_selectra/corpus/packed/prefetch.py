"""Preparing batches in the background, so that a training step never waits for them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Generic, TypeVar

from spacy_selectra.corpus.packed.loader import Batch, BatchLoader

_POLL = 0.1  # seconds between looks at whether to stop


Prepared = TypeVar("Prepared")


class Prefetcher(Generic[Prepared]):
    """Wraps a `BatchLoader` that no one else uses; same batches, same states.

    `state_dict` is that of the last batch handed out, however many wait in the queue.

    Args:
        loader: where the batches come from.
        prepare: what is done to each batch, in the background too; must keep no state.
        depth: batches kept ready.
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
        """The loader's state after the last batch handed out."""
        return dict(self._state)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state; batches prepared so far are thrown away.

        Raises:
            SelectraError: the state belongs to another corpus.
        """
        self.close()
        self._loader.load_state_dict(state)
        self._state = self._loader.state_dict()

    def close(self) -> None:
        """End the thread and set the loader back to the last batch handed out."""
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
