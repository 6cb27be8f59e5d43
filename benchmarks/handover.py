"""Runs the training loop of another library step by step, in a thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

Hand = Callable[[Any], None]


class Handover:
    """Work in a separate thread that pauses after each value.

    Args:
        work: called with a function that passes on a value, and returns when the next is needed.
    """

    def __init__(self, work: Callable[[Hand], None]) -> None:
        self._wanted = threading.Semaphore(0)
        self._values: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        # a daemon, so that the process can exit with unfinished work
        threading.Thread(target=self._run, args=(work,), daemon=True).start()

    def next(self) -> Any:
        """Continue the work until its next value.

        Raises:
            StopIteration: the work is done.
            Exception: whatever the work raised.
        """
        self._wanted.release()
        value, error = self._values.get()
        if error is not None:
            raise error
        return value

    def _run(self, work: Callable[[Hand], None]) -> None:
        self._wanted.acquire()
        error: BaseException = StopIteration()
        try:
            work(self._hand)
        except BaseException as raised:
            error = raised
        self._values.put((None, error))

    def _hand(self, value: Any) -> None:
        self._values.put((value, None))
        self._wanted.acquire()
