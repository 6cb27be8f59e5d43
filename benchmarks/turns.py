"""Contenders that take turns, as separate processes of which only one computes at a time.

So a slow phase of the machine affects all of them, and they do not share memory, threads or
settings. `Process` is the benchmark's side of the communication, `serve` the contender's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from spacy_selectra.util.progress import Progress

# Seconds after a turn before the next contender's, as threads that wait for work look for it for
# some milliseconds before they sleep.
SETTLE = 0.05


class ContenderError(Exception):
    """A contender's process ended or failed."""


class Process:
    """A running contender; stopped at the end of the `with` block.

    Args:
        name: name for messages.
        script: program that calls `serve`.
        task: JSON-able, its only argument.
        environment: additional environment variables.
    """

    def __init__(
        self,
        name: str,
        script: Path,
        task: Mapping[str, Any],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, str(script), json.dumps(task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *error: object) -> None:
        if any(error):
            self._process.kill()
        # the end of its stdin is the end of its work
        self._process.communicate()

    def ask(self, wish: str, number: int = 0) -> dict[str, Any]:
        """Call one of its functions.

        Raises:
            ContenderError: there is no answer.
        """
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # then there is no answer either
            print(wish, number, file=self._process.stdin, flush=True)
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """The next answer; the first one is sent without a request, after setup.

        Raises:
            ContenderError: the process has ended.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ContenderError(f"'{self.name}' ended with status {self._process.wait()}")
        return json.loads(line)


def take_turns(
    running: Sequence[Process], rounds: int, name: str = "measuring", unit: str = "rounds"
) -> Iterator[tuple[int, Process]]:
    """Iterate over rounds and contenders; a turn lasts until the next iteration.

    Args:
        running: contenders.
        rounds: turns of each.
        name: name of the progress bar.
        unit: its unit.
    """
    with Progress(name, rounds, unit) as progress:
        for number in range(rounds):
            for each in running:
                time.sleep(SETTLE)
                yield number, each
            progress.update()


def serve(build: Callable[[dict[str, Any]], Mapping[str, Callable[[int], dict[str, Any]]]]) -> None:
    """Run a contender: set it up for the task, then answer requests until stdin ends.

    Args:
        build: from the task to functions by name. "started", if present, returns the first
            answer.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    wishes = build(json.loads(sys.argv[1]))
    started = wishes.get("started", lambda _: {})
    print(json.dumps(started(0)), file=answers, flush=True)
    for line in sys.stdin:
        wish, number = line.split()
        print(json.dumps(wishes[wish](int(number))), file=answers, flush=True)
