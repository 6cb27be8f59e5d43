"""Dynamic batching: concurrent requests are processed together, by one thread.

A spaCy vocabulary is not safe for writes by several threads, and a batch is much faster than single
texts. So requests are queued, and one thread takes texts from all of them in turn. A request of a
thousand texts does not delay a request of one text for long.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from typing import Any, Generic, TypeVar

from spacy_selectra.serving.service.limits import Limits, busy

T = TypeVar("T")
# Maximum characters of a batch: about 8,000 words, less than a second.
BATCH_CHARACTERS = 50_000
# Stop waiting for other requests if none came during this part of the maximum wait.
PAUSE = 0.25


class _Job(Generic[T]):
    """A request's items with their results."""

    def __init__(self, items: Sequence[T]) -> None:
        self.items = items
        self.next = 0  # the first item that is not in a batch yet
        self.left = len(items)
        self.results: list[Any] = [None] * len(items)
        self.future: Future[list[Any]] = Future()


class Batcher(Generic[T]):
    """A queue of requests, and the thread that processes them in batches.

    Args:
        read: processes a batch, in the thread. Returns a result per item; an exception as a result
            becomes the error of the request.
        size: number of characters of an item.
        limits: here `waiting`, `batch` and `wait` are used.
    """

    def __init__(
        self,
        read: Callable[[list[T]], Sequence[Any]],
        size: Callable[[T], int],
        limits: Limits,
    ) -> None:
        self._read, self._size, self._limits = read, size, limits
        self._jobs: deque[_Job[T]] = deque()
        self._changed = threading.Condition()
        self._open = 0  # requests without an answer
        self._arrived = 0
        self._closing = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; also possible after `close`."""
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="pipeline", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Process the queue, stop and wait for the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def submit(self, items: Sequence[T]) -> Future[list[Any]]:
        """Queue a request; cancel the future to remove its remaining items from the queue.

        Raises:
            Refusal: too many requests are waiting.
        """
        job = _Job(items)
        with self._changed:
            if self._open >= self._limits.waiting:
                raise busy(f"{self._open} requests are waiting, at most {self._limits.waiting} may")
            self._open += 1
            self._arrived += 1
            if items:
                self._jobs.append(job)
            self._changed.notify_all()
        job.future.add_done_callback(self._forget)
        if not items:
            job.future.set_result([])
        return job.future

    def _forget(self, _: Future[list[Any]]) -> None:
        with self._changed:
            self._open -= 1

    def _work(self) -> None:
        while batch := self._next_batch():
            items = [job.items[place] for job, place in batch]
            try:
                results = self._read(items)
            except Exception as error:  # the thread must survive any error
                results = [error] * len(items)
            for (job, place), result in zip(batch, results, strict=True):
                job.results[place] = result
                job.left -= 1
                if not job.left:
                    self._answer(job)

    def _answer(self, job: _Job[T]) -> None:
        failed = next((one for one in job.results if isinstance(one, Exception)), None)
        try:
            if failed is None:
                job.future.set_result(job.results)
            else:
                job.future.set_exception(failed)
        except InvalidStateError:
            pass  # cancelled in the meantime

    def _next_batch(self) -> list[tuple[_Job[T], int]]:
        """The next batch, with at least one text; empty when the queue is empty and closed."""
        with self._changed:
            while True:
                while not self._jobs and not self._closing:
                    self._changed.wait()
                if not self._jobs:
                    return []
                self._wait_for_others()
                if batch := self._take():
                    return batch

    def _wait_for_others(self) -> None:
        end = time.monotonic() + self._limits.wait
        while not self._closing and self._texts() < self._limits.batch:
            arrived = self._arrived
            self._changed.wait(min(PAUSE * self._limits.wait, end - time.monotonic()))
            if self._arrived == arrived or time.monotonic() >= end:
                return

    def _texts(self) -> int:
        return sum(len(job.items) - job.next for job in self._jobs)

    def _take(self) -> list[tuple[_Job[T], int]]:
        """One text of each request in turn, until the batch is full."""
        batch: list[tuple[_Job[T], int]] = []
        characters = 0
        while self._jobs and len(batch) < self._limits.batch and characters < BATCH_CHARACTERS:
            job = self._jobs.popleft()
            if job.future.cancelled():
                continue
            characters += self._size(job.items[job.next])
            batch.append((job, job.next))
            job.next += 1
            if job.next < len(job.items):
                self._jobs.append(job)
        return batch
