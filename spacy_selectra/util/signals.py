"""Stopping long work cleanly on Ctrl-C or SIGTERM."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any, TypeVar

from spacy_selectra.errors import SelectraError

Item = TypeVar("Item")

_SAME_REQUEST = 3.0  # seconds


class Stopped(Exception):  # noqa: N818 - no error, and never shown
    """Raised within work that is abandoned on a request to stop."""


class StopRequest:
    """While active, the first SIGINT or SIGTERM only sets `requested`; a later one interrupts.

    A signal within three seconds after the first is ignored: terminals, schedulers and launchers
    often send both signals, or one to the whole process group and to its leader.

    It has no effect outside of the main thread, where Python allows no signal handlers.
    """

    def __init__(self) -> None:
        self.requested = False
        self._since = 0.0
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def check(self) -> None:
        """Raise `Stopped` if a stop was requested."""
        if self.requested:
            raise Stopped

    def until(
        self, items: Iterable[Item], what: Callable[[], str] = lambda: "nothing was written"
    ) -> Iterator[Item]:
        """Yield the items until a stop is requested, then raise an error.

        Args:
            items: work to do.
            what: returns what happens to the finished work, for the error.

        Raises:
            SelectraError: a stop was requested.
        """
        for item in items:
            if self.requested:
                raise SelectraError(f"stopped on request: {what()}")
            yield item

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self.requested:
            self.requested, self._since = True, time.monotonic()
        elif time.monotonic() - self._since > _SAME_REQUEST:
            raise KeyboardInterrupt
