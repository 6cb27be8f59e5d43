"""Work shared out to processes of this machine, with results in the order of submission."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from spacy_selectra.errors import SelectraError

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers(Generic[Item, Result]):
    """Calls a function on items, here or in worker processes.

    What a function returns must depend on its argument only: then the results are the same for
    any number of workers.

    Args:
        make: makes the function; called once in each worker, so it may be expensive. With more
            than one process it must be a function of a module, a class or a `partial` of these.
        processes: number of processes; with 1 the work is done in this process.
    """

    def __init__(self, make: Callable[[], Callable[[Item], Result]], processes: int = 1) -> None:
        if processes < 1:
            raise SelectraError(f"processes must be at least 1 (found {processes})")
        self._function: Callable[[Item], Result] | None = None
        self._pool: ProcessPoolExecutor | None = None
        self._waiting: deque[Any] = deque()
        # A little work waits for every worker; more would only fill memory.
        self.most_waiting = 0 if processes == 1 else 2 * processes
        if processes == 1:
            self._function = make()
        else:
            # spawn, because forking a process with running threads (tokenizers, torch) may hang
            self._pool = ProcessPoolExecutor(
                processes,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start_worker,
                initargs=(make,),
            )

    def __enter__(self) -> Workers[Item, Result]:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def __len__(self) -> int:
        """Items submitted whose result was not fetched."""
        return len(self._waiting)

    def submit(self, item: Item) -> None:
        """Have the function called."""
        if self._pool is None:
            assert self._function is not None
            self._waiting.append(self._function(item))
            return
        try:
            self._waiting.append(self._pool.submit(_call, item))
        except BrokenProcessPool as error:
            raise _died() from error

    def result(self) -> Result:
        """Wait for the oldest result that was not fetched.

        Raises:
            SelectraError: a worker died. What the function raised is raised again.
        """
        waiting = self._waiting.popleft()
        if not isinstance(waiting, Future):
            return waiting
        try:
            return waiting.result()
        except BrokenProcessPool as error:
            raise _died() from error

    def results(self, items: Iterable[Item]) -> Iterator[tuple[Item, Result]]:
        """Each item with its result, in order, reading only a little ahead."""
        submitted: deque[Item] = deque()
        for item in items:
            self.submit(item)
            submitted.append(item)
            while len(submitted) > self.most_waiting:
                yield submitted.popleft(), self.result()
        while submitted:
            yield submitted.popleft(), self.result()


@dataclass(frozen=True)
class Engine:
    """Where work is done.

    Attributes:
        processes: worker processes.
    """

    processes: int = 1

    def workers(self, make: Callable[[], Callable[[Item], Result]]) -> Workers[Item, Result]:
        """Workers that call the function which `make` makes."""
        return Workers(make, self.processes)


def _died() -> SelectraError:
    return SelectraError(
        "a worker process was killed (out of memory?): run the same command again, with fewer "
        "--processes if memory is short"
    )


_function: Callable[[Any], Any] | None = None


def _start_worker(make: Callable[[], Callable[[Any], Any]]) -> None:
    global _function
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # The processes are the parallelism.
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent decides.
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _function = make()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # Nobody would ever fetch the results of an orphan.


def _call(item: Any) -> Any:
    assert _function is not None
    return _function(item)
