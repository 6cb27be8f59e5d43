"""Processes to kill and random times to kill them; part of kills.py."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NoReturn

POLL = 0.0005  # seconds between looks at the directory
WRITING = 0.02  # seconds, about what a checkpoint or a network of this size takes to be written
PATIENCE = 300.0  # seconds without what is waited for
EXPORTS = ("discriminator", "generator")

Entries = dict[str, tuple[int, int]]


class StartError(Exception):
    """A run that failed without being killed, or hung."""


class Start:
    """One run of the command, or of a function, in a separate process group.

    It is killed at the end of the `with` block.

    Args:
        work: arguments of the command, or a function to run in a fork of this process.
        printed: file for its output.
    """

    def __init__(self, work: list[str] | Callable[[], None], printed: Path) -> None:
        self.printed, self.began = printed, time.monotonic()
        self.status: int | None = None
        sys.stdout.flush()
        self.pid = os.fork()
        if not self.pid:
            self._become(work)
        with suppress(OSError):  # it may have done so itself, and be another program by now
            os.setpgid(self.pid, self.pid)

    def __enter__(self) -> Start:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def ended(self) -> bool:
        """Whether it has ended."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if pid else None
        return self.status is not None

    def kill(self) -> bool:
        """Kill the group; False if the process had already ended."""
        if not self.ended():
            os.killpg(self.pid, signal.SIGKILL)
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status == -signal.SIGKILL

    def wait(self, event: Callable[[], bool] = lambda: False) -> bool:
        """Wait for an event; False if the process ends before it.

        Raises:
            StartError: it ended with another status than 0, or PATIENCE is over.
        """
        while not event():
            if self.ended():
                if self.status:
                    text = self.printed.read_text(encoding="utf-8", errors="replace")
                    raise StartError(f"status {self.status}: {text.strip()[-2000:]}")
                return False
            if time.monotonic() - self.began > PATIENCE:
                raise StartError(f"nothing happened for {PATIENCE:.0f} seconds")
            time.sleep(POLL)
        return True

    def _become(self, work: list[str] | Callable[[], None]) -> NoReturn:
        status = 1
        try:
            os.setpgid(0, 0)
            out = os.open(self.printed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(out, 1)
            os.dup2(out, 2)
            if isinstance(work, list):
                os.execv(sys.executable, [sys.executable, "-m", "spacy_selectra", *work])
            work()
            status = 0
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else int(error.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            with suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)


class Output:
    """The state of a run, from the files in its directory.

    Args:
        path: the directory of the run.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> Entries:
        """Names, each with what changes when it is replaced or written to."""
        found: Entries = {}
        with suppress(FileNotFoundError), os.scandir(self.path) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    status = entry.stat()
                    found[entry.name] = (status.st_ino, status.st_mtime_ns)
        return found

    def checkpoint(self) -> int:
        """Step of the newest checkpoint, -1 if there is none."""
        names = [name for name in self.entries() if name.startswith("checkpoint-")]
        return max((int(name.partition("-")[2]) for name in names), default=-1)

    def logged(self) -> int:
        """Step of the last whole row of the log, -1 if there is none."""
        with suppress(OSError, ValueError, IndexError), open(self.path / "log.jsonl", "rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 2000))
            return int(json.loads(log.read().split(b"\n")[-2])["step"])
        return -1

    def hidden(self, name: str) -> set[str]:
        """Half-written versions of files or directories whose names begin like this."""
        return {entry for entry in self.entries() if entry.startswith(f".{name}")}

    def thinned(self) -> set[str]:
        """Checkpoints that have lost files, because their deletion was cut off."""
        sizes = {path.name: len(os.listdir(path)) for path in self.path.glob("checkpoint-*")}
        return {name for name, size in sizes.items() if size < max(sizes.values())}


class Moments:
    """Random times to kill a run, based on previous durations.

    Args:
        output: of the run that is killed.
        rng: draws the moments.
        interval: seconds from one checkpoint to the next.
    """

    def __init__(self, output: Output, rng: random.Random, interval: float) -> None:
        self.output, self.rng, self.interval = output, rng, interval
        self.startup = 1.0  # seconds until the first new row of the log, as last seen

    def wait(self, target: str, start: Start) -> bool:
        """Wait for a moment of first files, start-up, training, checkpoint or export.

        Returns:
            False if the process ended before.
        """
        if target == "first files":
            return start.wait(self._exists) and self._after(2 * WRITING, start)
        if target == "start-up":
            return self._after(self.startup, start)
        if target == "training":
            return self._first_row(start) and self._after(2 * self.interval, start)
        name = "checkpoint-" if target == "checkpoint" else self.rng.choice(EXPORTS)
        times = self.rng.choice((1, 2)) if target == "checkpoint" else 1
        return self._written(name, times, start) and self._after(WRITING, start)

    def _exists(self) -> bool:
        return bool(self.output.entries())

    def _after(self, longest: float, start: Start) -> bool:
        end = time.monotonic() + self.rng.uniform(0, longest)
        return start.wait(lambda: time.monotonic() >= end)

    def _first_row(self, start: Start) -> bool:
        before, log = self.output.checkpoint(), self.output.entries().get("log.jsonl")

        def new_row() -> bool:
            # rows of steps to be made again are there until the run has been restored
            changed = self.output.entries().get("log.jsonl") != log
            return changed and self.output.logged() > before

        if not start.wait(new_row):
            return False
        self.startup = time.monotonic() - start.began
        return True

    def _written(self, name: str, times: int, start: Start) -> bool:
        seen = self.output.hidden(name)
        for _ in range(times):
            known = frozenset(seen)
            if not start.wait(lambda known=known: bool(self.output.hidden(name) - known)):
                return False
            seen |= self.output.hidden(name)
        return True


def phase(output: Output, before: Entries, had: int, thinned: set[str], finished: bool) -> str:
    """What a kill interrupted, from the files on disk before the start and now.

    Args:
        output: of the run that was killed.
        before: its entries before the start.
        had: step of its newest checkpoint before the start.
        thinned: checkpoints whose deletion was cut off before the start.
        finished: whether its last checkpoint was there before the start.
    """
    now = output.entries()
    new = {name for name in now.keys() - before.keys() if name.startswith(".")}
    if any(name.startswith(".checkpoint-") for name in new):
        return "checkpoint half written"
    if any(name.startswith(tuple(f".{export}" for export in EXPORTS)) for name in new):
        return "exported network half written"
    if any(".tmp-" in name for name in new):
        return "small file half written"
    if output.thinned() - thinned:
        return "old checkpoint half deleted"
    if now == before:
        return "start-up, nothing written yet"
    if output.checkpoint() > had:
        return "training, with a new checkpoint"
    if finished:
        return "after the last checkpoint"
    if output.logged() > had and now.get("log.jsonl") != before.get("log.jsonl"):
        return "training, without a new checkpoint"
    return "start-up, restoring"
