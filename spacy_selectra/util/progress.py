"""Progress of long work on stderr: how far, how fast, how long still."""

from __future__ import annotations

import sys
import time
from types import TracebackType


class Progress:
    """One line of progress, rewritten on a terminal, repeated every 10 s in a log.

    Args:
        description: what is being done.
        total: amount of work in `unit`, or None when it is not known.
        unit: name of what is counted, in the plural.
        quiet: print nothing at all.
    """

    def __init__(
        self,
        description: str,
        total: float | None = None,
        unit: str = "items",
        *,
        quiet: bool = False,
    ) -> None:
        self.description, self.total, self.unit, self.quiet = description, total, unit, quiet
        self.done = 0.0
        self._terminal = sys.stderr.isatty()
        self._interval = 0.2 if self._terminal else 10.0
        self._start = self._last = time.monotonic()
        self._note = ""
        self._width = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._print(end="\n")

    def update(self, amount: float = 1.0, note: str | None = None) -> None:
        """Add `amount` units of finished work; `note` replaces the text at the end of the line."""
        self.done += amount
        if note is not None:
            self._note = note
        if time.monotonic() - self._last >= self._interval:
            self._print(end="" if self._terminal else "\n")

    def _print(self, end: str) -> None:
        self._last = time.monotonic()
        if self.quiet:
            return
        elapsed = max(self._last - self._start, 1e-9)
        rate = self.done / elapsed
        parts = [f"{self.description}: {_compact(self.done)}"]
        if self.total:
            parts[0] += f" of {_compact(self.total)} {self.unit} ({self.done / self.total:.0%})"
        else:
            parts[0] += f" {self.unit}"
        parts.append(f"{_compact(rate)} {self.unit}/s")
        if self.total and rate and self.done < self.total:
            parts.append(f"{_clock((self.total - self.done) / rate)} left")
        else:
            parts.append(_clock(elapsed))
        if self._note:
            parts.append(self._note)
        line = "  ".join(parts)
        prefix = "\r" if self._terminal else ""
        print(prefix + line.ljust(self._width), end=end, file=sys.stderr, flush=True)
        self._width = len(line) if self._terminal and not end else 0


def _compact(value: float) -> str:
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= limit:
            return f"{value / (1e3 if suffix == 'k' else limit):.1f}{suffix}"
    return f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
