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
    """Raised within work that is given up on a request to stop."""


class StopRequest:
    """While active, the first SIGINT or SIGTERM only sets `requested`; a later one interrupts.

    One that follows within three seconds is the same request: terminals, schedulers and
    launchers often send both signals, or one of them to the whole group and to its leader.

    Outside the main thread, where Python allows no signal handlers, it never triggers.
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
        """Raise `Stopped` if it was requested."""
        if self.requested:
            raise Stopped

    def until(
        self, items: Iterable[Item], what: Callable[[], str] = lambda: "nothing was written"
    ) -> Iterator[Item]:
        """The items; once it was requested, an error takes the place of the next one.

        Args:
            items: work to be done.
            what: says what becomes of the work that was done.

        Raises:
            SelectraError: it was requested.
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
