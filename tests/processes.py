"""The real command in a process of its own, which gets a signal at a moment that needs no clock."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

# Seconds after which a process that has not ended is taken to hang; busy machines are slow.
HANGS = 600

# Sends a signal to the command when it has begun to write a file for the n-th time: a row that is
# added, or a new file that is put in its place.
_SIGNALLED = """
import fnmatch, os, sys
number, name, times, process = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), os.getpid()
seen = 0

def watch(event, args):
    global seen
    if event == "os.rename" or (event == "open" and args[1] == "a"):
        path = args[1] if event == "os.rename" else args[0]
        if fnmatch.fnmatch(os.path.basename(path), name):
            seen += 1
            if seen == times:
                os.kill(process, number)

sys.addaudithook(watch)
sys.argv[:4] = ["selectra"]
{before}
from spacy_selectra.cli import main
main()
"""


def run_and_signal(
    arguments: list[str], number: signal.Signals, file: str, times: int = 1, before: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run `selectra ARGUMENTS`; it gets a signal when it writes a file for the n-th time.

    Args:
        arguments: of the command.
        number: the signal.
        file: name of the file, or a pattern for it, without its directory.
        times: which of the writes it is.
        before: Python code that is run first.
    """
    given = [str(int(number)), file, str(times), *arguments]
    return subprocess.run(
        [sys.executable, "-c", _SIGNALLED.format(before=before), *given],
        capture_output=True,
        text=True,
        timeout=HANGS,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])},
    )
