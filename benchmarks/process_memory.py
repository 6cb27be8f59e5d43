"""Resident memory of this process."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from pathlib import Path

_STATUS = Path("/proc/self/status")


def resident_memory() -> int:
    """Bytes in memory now; where the system does not tell, the most there were."""
    return _status("VmRSS") or _highest()


def peak_memory() -> int:
    """Most bytes in memory since `reset_peak`, or since the process began where that fails."""
    return _status("VmHWM") or _highest()


def reset_peak() -> None:
    """Let `peak_memory` begin anew (Linux)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _status(field: str) -> int:
    if not _STATUS.exists():
        return 0
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0


def _highest() -> int:
    """`ru_maxrss`, which Linux counts in KiB and macOS in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
