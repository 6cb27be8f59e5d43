"""How long commands share the machine: as many threads as there are processors for them, and none
that waits by spinning."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")
_SPINS = "GOMP_SPINCOUNT"

# GNU OpenMP's threads, which torch computes with, look for work for milliseconds before they
# sleep. Beside other busy processes these are milliseconds of a processor that somebody needs,
# most of all the thread that is waited for. So few rounds of looking cost nothing that could be
# measured where the machine is free.
_ROUNDS = "100"


def share_the_machine() -> None:
    """Set the threads of this process up; call it before anything is computed.

    What the environment says (`OMP_NUM_THREADS`, `OMP_WAIT_POLICY`, `GOMP_SPINCOUNT`) stays. The
    others are read when torch is loaded: where spaCy has loaded it already, the command starts
    again in the same process, with the same arguments.
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
    """Processors this process may use: those it is bound to, and no more than its control group's
    quota pays for (containers: `docker run --cpus`, Kubernetes' limits)."""
    shares = [share for share in (_share(place) for place in _cpu_groups()) if share is not None]
    return max(1, min([_visible(), *(math.ceil(share) for share in shares)]))


def _visible() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_groups() -> list[Path]:
    """Directories of the control groups whose quota holds for this process."""
    try:
        rows = [line.split(":", 2) for line in _OWN_CGROUPS.read_text("utf-8").splitlines()]
    except OSError:
        return []
    places: list[Path] = []
    for _, controllers, own in rows:
        if controllers and "cpu" not in controllers.split(","):
            continue
        # a container sees its own group as the root, whatever its path is called
        root = _CGROUPS / "cpu" if controllers else _CGROUPS
        inner = Path(own.lstrip("/"))
        places += [root, *(root / part for part in [inner, *inner.parents])]
    return places


def _share(group: Path) -> float | None:
    """Processors a control group's quota is worth; None without one."""
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
    """Whether the command is what this process was started for, and not called by a program."""
    own = sys.argv[1:]
    return "selectra" in own and sys.orig_argv[-len(own) :] == own
