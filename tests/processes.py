"""Commands and functions in processes of their own, with signals at moments that need no clock.

Importing torch and spaCy takes several seconds. All processes are therefore forked from one server,
which has done so once and has computed nothing yet.
"""

from __future__ import annotations

import fnmatch
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any
from unittest import mock

# Seconds after which a process that has not ended is taken to hang; busy machines are slow.
HANGS = 600

NEW_PROCESSES = multiprocessing.get_context("forkserver")
NEW_PROCESSES.set_forkserver_preload(
    [
        "spacy_transformers",
        "spacy_selectra.cli.app",
        "spacy_selectra.pretraining.pretrain",
        "spacy_selectra.finetuning.finetune",
        "torch._dynamo",  # torch's optimisers import it when the first of them is made
    ]
)


class Running:
    """A function in a process of its own, which has started.

    Args:
        function: what to run; it has to be importable.
        arguments: of the function; they are pickled.
        environment: variables that it gets besides those of this process.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        environment: dict[str, str] | None = None,
    ) -> None:
        self._printed = tempfile.TemporaryDirectory(prefix="printed-")
        self.directory = Path(self._printed.name)
        given = {"OMP_NUM_THREADS": "1", **(environment or {})}
        self.process: ForkServerProcess = NEW_PROCESSES.Process(
            target=_run, args=(self.directory, given, function, arguments)
        )
        # a process with threads cannot be forked safely
        with mock.patch.dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1"):
            forkserver.ensure_running()
        for name in ("stdout", "stderr"):
            (self.directory / name).touch()
        self.process.start()

    def first_line(self) -> str:
        """What it prints first, as soon as it has printed that; less if it has ended before."""
        while "\n" not in (printed := (self.directory / "stdout").read_text("utf-8")):
            if wait([self.process.sentinel], timeout=0.01):
                return (self.directory / "stdout").read_text("utf-8")
        return printed.partition("\n")[0]

    def wait(self) -> subprocess.CompletedProcess[str]:
        """Its exit status and what it has printed, when it has ended."""
        self.process.join(HANGS)
        status = self.process.exitcode
        if status is None:
            self.process.kill()
            self.process.join()
        texts = [(self.directory / name).read_text("utf-8") for name in ("stdout", "stderr")]
        self._printed.cleanup()
        assert status is not None, f"it hangs: {texts}"
        return subprocess.CompletedProcess([], status, *texts)


def run(
    function: Callable[..., Any], *arguments: Any, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a function in a process of its own, to its end."""
    return Running(function, *arguments, environment=environment).wait()


def command(*arguments: str) -> None:
    """`selectra ARGUMENTS`, in the process that calls it."""
    from spacy_selectra.cli import main

    sys.argv = ["selectra", *arguments]
    main()


def run_and_signal(
    arguments: list[str], number: signal.Signals, file: str, times: int = 1, before: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run `selectra ARGUMENTS`; it gets a signal when it writes a file for the n-th time.

    Args:
        arguments: of the command.
        number: the signal.
        file: name of the file, or a pattern for it, without its directory.
        times: which of the writes it is: a row that is added, or a new file put in its place.
        before: Python code that is run first.
    """
    return run(_signalled, arguments, number, file, times, before)


def _signalled(
    arguments: list[str], number: signal.Signals, file: str, times: int, before: str
) -> None:
    process, seen = os.getpid(), 0

    def watch(event: str, args: tuple[Any, ...]) -> None:
        nonlocal seen
        if event == "os.rename" or (event == "open" and args[1] == "a"):
            path = args[1] if event == "os.rename" else args[0]
            if fnmatch.fnmatch(os.path.basename(path), file):
                seen += 1
                if seen == times:
                    os.kill(process, number)

    sys.addaudithook(watch)
    exec(before)
    command(*arguments)


def _run(
    directory: Path,
    environment: dict[str, str],
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    os.environ.update(environment)
    for stream, name in ((sys.stdout, "stdout"), (sys.stderr, "stderr")):
        with open(directory / name, "wb") as file:
            os.dup2(file.fileno(), stream.fileno())
        stream.reconfigure(line_buffering=True)
    function(*arguments)
