"""Threads of long commands: no more than there are processors, and without busy waiting."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")
_SPINS = "GOMP_SPINCOUNT"

# The threads of GNU OpenMP, which torch uses, spin for milliseconds before they sleep. On a busy
# machine they take this time from other processes and from the thread they wait for. This small
# number of rounds costs nothing measurable on an idle machine.
_ROUNDS = "100"


def share_the_machine() -> None:
    """Configure the threads of this process; call it before any computation.

    Variables that are set in the environment (`OMP_NUM_THREADS`, `OMP_WAIT_POLICY`,
    `GOMP_SPINCOUNT`) are kept. The others must be set before torch is imported: if spaCy has
    imported it already, the command is executed again in the same process.
    """
    wanted = {}
    if "OMP_WAIT_POLICY" not in os.environ and _SPINS not in os.environ:
        wanted[_SPINS] = _ROUNDS
    if "OMP_NUM_THREADS" not in os.environ and (limit := usable_processors()) < _visible():
        wanted["OMP_NUM_THREADS"] = str(limit)
    os.environ.update(wanted)
    if wanted and "torch" in sys.modules and _is_this_process():
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def usable_processors() -> int:
    """Number of processors for this process, by its affinity and its control group's quota.

    (Containers have quotas: `docker run --cpus`, Kubernetes' limits.)
    """
    shares = [share for share in (_share(place) for place in _cpu_groups()) if share is not None]
    return max(1, min([_visible(), *(math.ceil(share) for share in shares)]))


def _visible() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_groups() -> list[Path]:
    """Directories of the control groups whose quotas apply to this process."""
    try:
        rows = [line.split(":", 2) for line in _OWN_CGROUPS.read_text("utf-8").splitlines()]
    except OSError:
        return []
    places: list[Path] = []
    for _, controllers, own in rows:
        if controllers and "cpu" not in controllers.split(","):
            continue
        # in a container its own group is the root, whatever the path
        root = _CGROUPS / "cpu" if controllers else _CGROUPS
        inner = Path(own.lstrip("/"))
        places += [root, *(root / part for part in [inner, *inner.parents])]
    return places


def _share(group: Path) -> float | None:
    """A control group's quota in processors; None without one."""
    try:
        if (group / "cpu.max").is_file():  # version 2
            quota, period = (group / "cpu.max").read_text("ascii").split()
        else:
            quota = (group / "cpu.cfs_quota_us").read_text("ascii")
            period = (group / "cpu.cfs_period_us").read_text("ascii")
        return int(quota) / int(period) if quota != "max" and int(quota) > 0 else None
    except (OSError, ValueError):
        return None


def _is_this_process() -> bool:
    """Whether this process was started for the command, which is not called by a program."""
    own = sys.argv[1:]
    return "selectra" in own and sys.orig_argv[-len(own) :] == own
