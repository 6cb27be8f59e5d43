"""Progress of long work on stderr: amount, speed and remaining time."""

from __future__ import annotations

import sys

from tqdm import tqdm


class Progress(tqdm):
    """A bar on a terminal; otherwise, as in a log file, a line every 10 s.

    Args:
        description: title.
        total: amount of work in `unit`, None if unknown.
        unit: of the work, in the plural.
        quiet: print nothing.
    """

    monitor_interval = 0  # no thread, as processes may fork

    def __init__(
        self,
        description: str,
        total: float | None = None,
        unit: str = "items",
        *,
        quiet: bool = False,
    ) -> None:
        terminal = sys.stderr.isatty()
        if total is not None:
            total = max(0, total)  # of a budget that is spent, less than nothing may be left
        if total:
            bar = "{bar:10}  " if terminal else ""
            amount = bar + "{n:,.0f} of {total:,.0f}{unit} ({percentage:.0f}%)"
            rest = "{remaining} left"
        else:
            amount, rest = "{n:,.0f}{unit}", "{elapsed}"
        super().__init__(
            desc=description,
            total=total,
            unit=f" {unit}",
            unit_scale=True,  # for the speed
            disable=quiet,
            file=sys.stderr if terminal else _Lines(),
            mininterval=0.2 if terminal else 10.0,
            miniters=0,
            smoothing=0,  # the speed is the mean since the start
            dynamic_ncols=terminal,
            bar_format=f"{{desc}}: {amount}  {{rate_noinv_fmt}}  {rest}{{postfix}}",
        )

    def update(self, n: float | None = 1, note: str | None = None) -> None:
        """Add `n` units of finished work; `note` replaces the text at the end of the line."""
        if note is not None:
            self.set_postfix_str(note, refresh=False)
        if self.total:  # a total in seconds is an estimate and may be exceeded
            self.total = max(self.total, self.n + (n or 0))
        super().update(n)


class _Lines:
    """Stderr for a log: a new line for every state, where tqdm would overwrite the last one."""

    def write(self, text: str) -> None:
        if text.strip():
            print(text.strip(), file=sys.stderr, flush=True)

    def flush(self) -> None:
        """Nothing to do, as every line is flushed when it is written."""
