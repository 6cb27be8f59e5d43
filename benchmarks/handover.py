"""A loop that is not ours to take apart, stopped wherever it has something to hand over."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

Hand = Callable[[Any], None]


class Handover:
    """Work in a thread of its own that goes on only while it is waited for.

    Args:
        work: gets a function that hands a value over and returns when the next one is wanted.
    """

    def __init__(self, work: Callable[[Hand], None]) -> None:
        self._wanted = threading.Semaphore(0)
        self._values: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        # a daemon, so that the end of the process need not wait for work nobody wants
        threading.Thread(target=self._run, args=(work,), daemon=True).start()

    def next(self) -> Any:
        """Let the work go on until it hands over; what it hands over.

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
