"""Distributing work to processes of this machine or of a Ray cluster.

Results are in the order of submission. They are the same for every engine and any number of workers
if the function depends on its argument only.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from typing import Any, Generic, Literal, TypeVar, get_args

from spacy_selectra.errors import SelectraError
from spacy_selectra.util.ray_cluster import ray_cluster

Item = TypeVar("Item")
Result = TypeVar("Result")
EngineName = Literal["local", "ray"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)


class Workers(ABC, Generic[Item, Result]):
    """Calls a function on items.

    Attributes:
        most_waiting: number of items to submit before the first result is fetched: some work for
            every worker, but not more, to save memory.
    """

    most_waiting = 0

    def __enter__(self) -> Workers[Item, Result]:
        return self

    def __exit__(self, *_: object) -> None:
        """Cancel items whose results were not fetched."""

    @abstractmethod
    def submit(self, item: Item) -> None:
        """Submit an item."""

    @abstractmethod
    def result(self) -> Result:
        """Wait for the oldest result that was not fetched.

        Raises:
            SelectraError: a worker died. Exceptions of the function are raised again.
        """

    def results(self, items: Iterable[Item]) -> Iterator[tuple[Item, Result]]:
        """Each item with its result, in order, with a little read-ahead."""
        submitted: deque[Item] = deque()
        for item in items:
            self.submit(item)
            submitted.append(item)
            while len(submitted) > self.most_waiting:
                yield submitted.popleft(), self.result()
        while submitted:
            yield submitted.popleft(), self.result()


class Engine:
    """A context with worker processes, which connects to Ray if necessary.

    Enter `StopRequest` within it, because Ray handles signals too.

    Args:
        name: `local`: processes of this machine. `ray`: processes of the Ray cluster in
            RAY_ADDRESS, or of one that is started on this machine.
        processes: number of workers; a single local one is this process.

    Raises:
        SelectraError: unknown name, or fewer than one process.
    """

    def __init__(self, name: str = "local", processes: int = 1) -> None:
        if name not in ENGINES:
            raise SelectraError(f"unknown engine '{name}' (known: {', '.join(ENGINES)})")
        if processes < 1:
            raise SelectraError(f"processes must be at least 1 (found {processes})")
        self._name = name
        self._processes = processes
        self._connection = ExitStack()
        self._ray: Any = None

    def __enter__(self) -> Engine:
        if self._name == "ray":
            self._ray = self._connection.enter_context(ray_cluster(self._processes))
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def workers(self, make: Callable[[], Callable[[Item], Result]]) -> Workers[Item, Result]:
        """Workers for a function.

        Args:
            make: returns the function; called once in each worker, so it may be expensive. It must
                be a function of a module, a class or a `partial` of these.
        """
        if self._name == "ray":
            return _RayWorkers(self._ray, make, self._processes)
        if self._processes == 1:
            return _ThisProcess(make)
        return _Processes(make, self._processes)


class _ThisProcess(Workers[Item, Result]):
    def __init__(self, make: Callable[[], Callable[[Item], Result]]) -> None:
        self._function = make()
        self._done: deque[Result] = deque()

    def submit(self, item: Item) -> None:
        self._done.append(self._function(item))

    def result(self) -> Result:
        return self._done.popleft()


class _Processes(Workers[Item, Result]):
    def __init__(self, make: Callable[[], Callable[[Item], Result]], processes: int) -> None:
        self.most_waiting = 2 * processes
        self._futures: deque[Future[Result]] = deque()
        # spawn, because a fork of a process with threads (tokenizers, torch) can hang
        self._pool = ProcessPoolExecutor(
            processes,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_worker,
            initargs=(make,),
        )

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def submit(self, item: Item) -> None:
        try:
            self._futures.append(self._pool.submit(_call, item))
        except BrokenProcessPool as error:
            raise _died() from error

    def result(self) -> Result:
        try:
            return self._futures.popleft().result()
        except BrokenProcessPool as error:
            raise _died() from error


class _RayWorkers(Workers[Item, Result]):
    """Actors, which get items in turn; one that dies is restarted and repeats its items."""

    _LIVES = 3

    def __init__(
        self, ray: Any, make: Callable[[], Callable[[Item], Result]], processes: int
    ) -> None:
        self.most_waiting = 2 * processes
        self._ray = ray
        actor = ray.remote(_Actor).options(
            num_cpus=1, max_restarts=self._LIVES, max_task_retries=self._LIVES
        )
        self._actors = deque(actor.remote(make) for _ in range(processes))
        self._waiting: deque[Any] = deque()

    def __exit__(self, *_: object) -> None:
        for actor in self._actors:
            self._ray.kill(actor)

    def submit(self, item: Item) -> None:
        self._waiting.append(self._actors[0].call.remote(item))
        self._actors.rotate(-1)

    def result(self) -> Result:
        errors = self._ray.exceptions
        try:
            return self._ray.get(self._waiting.popleft())
        except errors.RayTaskError as error:
            raise error.cause from error
        except errors.RayError as error:
            raise _died() from error


class _Actor:
    def __init__(self, make: Callable[[], Callable[[Any], Any]]) -> None:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        self._function = make()

    def call(self, item: Any) -> Any:
        return self._function(item)


def _died() -> SelectraError:
    return SelectraError(
        "a worker process was killed (out of memory?): run the same command again, with fewer "
        "--processes if memory is short"
    )


_function: Callable[[Any], Any] | None = None


def _start_worker(make: Callable[[], Callable[[Any], Any]]) -> None:
    global _function
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # there are several processes already
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all get Ctrl-C, but the parent handles it
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _function = make()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # the parent is gone and cannot fetch results


def _call(item: Any) -> Any:
    assert _function is not None
    return _function(item)
