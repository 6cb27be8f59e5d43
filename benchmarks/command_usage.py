"""What a command costs: seconds, processor time and memory, its child processes included."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Usage:
    """Of a command that has ended.

    Attributes:
        seconds: from its start to its end.
        processor_seconds: of all its processes; on a busy machine the figure to trust.
        peak: most bytes in memory of the largest of its processes.
        printed: its output.
    """

    seconds: float
    processor_seconds: float
    peak: int
    printed: str


def selectra(*arguments: str) -> Usage:
    """Run `python -m spacy_selectra` with some arguments (Linux, macOS)."""
    # Linux counts to a process what the one had in memory that started it, so that one is small.
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return Usage(**json.loads(done.stdout))


def _measured(arguments: list[str]) -> Usage:
    command = [sys.executable, "-m", "spacy_selectra", *arguments]
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=output)
        # unlike `wait` it tells what this process used, and those that it waited for
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(process.returncode)
        output.seek(0)
        unit = 1 if sys.platform == "darwin" else 1024
        return Usage(
            seconds,
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss * unit,
            output.read().decode(),
        )


if __name__ == "__main__":
    print(json.dumps(asdict(_measured(sys.argv[1:]))))
