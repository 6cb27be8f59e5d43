"""Time spent inside chosen functions and components, each second counted once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any


class Stopwatch:
    """Times by category; a nested measurement pauses the outer one.

    Attributes:
        seconds: since the last `clear`.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._running: list[str] = []
        self._since = 0.0

    def clear(self) -> None:
        """Reset the times."""
        self.seconds = {}

    @contextmanager
    def time(self, category: str) -> Iterator[None]:
        """Measure the block, without nested measurements."""
        self._switch()
        self._running.append(category)
        try:
            yield
        finally:
            self._switch()
            self._running.pop()

    def watch(self, owner: Any, name: str, category: str) -> None:
        """Count every call of `owner.name` from now on."""
        method: Callable[..., Any] = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.time(category):
                return method(*args, **kwargs)

        setattr(owner, name, timed)

    def iterate(self, items: Iterable[Any], category: str) -> Iterator[Any]:
        """The same items; waiting for the next one counts."""
        iterator = iter(items)
        while True:
            with self.time(category):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def _switch(self) -> None:
        now = time.perf_counter()
        if self._running:
            category = self._running[-1]
            self.seconds[category] = self.seconds.get(category, 0.0) + now - self._since
        self._since = now


class TimedComponent:
    """A spaCy component with its own time measured, without that of components before it.

    For components in Cython, whose methods cannot be replaced.
    """

    def __init__(self, component: Any, watch: Stopwatch, category: str, others: str) -> None:
        self._component, self._watch = component, watch
        self._category, self._others = category, others

    def __call__(self, doc: Any, **settings: Any) -> Any:
        with self._watch.time(self._category):
            return self._component(doc, **settings)

    def pipe(self, docs: Iterable[Any], **settings: Any) -> Iterator[Any]:
        """Annotated documents."""
        before = self._watch.iterate(docs, self._others)
        return self._watch.iterate(self._component.pipe(before, **settings), self._category)
