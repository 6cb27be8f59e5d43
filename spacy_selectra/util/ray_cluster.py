"""Ray: the cluster that a command joins, or the one of its own that it starts."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from spacy_selectra.errors import SelectraError
from spacy_selectra.util.extras import required

ADDRESS = "RAY_ADDRESS"  # Ray's own name for it
STARTS = 3  # of a Ray of this machine, at most
_NO_START = f"Ray does not start here in {STARTS} tries; is the machine too busy?"


@contextmanager
def ray_cluster(processors: int) -> Iterator[Any]:
    """Yield the package `ray`, with `ray.data`, connected to a cluster.

    RAY_ADDRESS in the environment names a cluster; it is joined, and left as it is. Without it Ray
    is started on this machine, and stopped at the end. A program that is connected already stays
    connected. What Ray and its workers print is kept out of the command's output; their exceptions
    arrive. While connected, Ray handles signals: enter `StopRequest` within this.

    Args:
        processors: of this machine, for a Ray that is started here.

    Raises:
        SelectraError: Ray is not installed, or there is no cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anybody
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # of its C++ part, on stderr
    logging.getLogger("ray").setLevel(logging.ERROR)
    ray = required("ray", "ray", "the engine ray")
    data = required("ray.data", "ray", "the engine ray")
    began = not ray.is_initialized()
    handler = signal.getsignal(signal.SIGTERM)
    if began:
        _connect(ray, processors)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    data.DataContext.get_current().enable_progress_bars = False
    try:
        yield ray
    finally:
        if began:
            ray.shutdown()
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, handler)


def _connect(ray: Any, processors: int) -> None:
    address = os.environ.get(ADDRESS)
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    try:
        if address:
            ray.init(address=address, **quiet)
        else:
            _start(ray, num_cpus=processors, include_dashboard=False, **quiet)
    except Exception as error:  # a bare one when it takes too long to start
        place = f"no Ray cluster at {ADDRESS}={address}" if address else _NO_START
        raise SelectraError(f"{place} ({error})") from error


def _start(ray: Any, **options: Any) -> None:
    """Start Ray, more than once where that takes it too long.

    Its raylet gives up unless a helper process has written its ports after 15 seconds, which
    nothing can change (ray-project/ray#65983, seen with 2.60). With several busy programs for each
    core, importing Ray takes that helper longer. What a start in vain leaves behind ends with this
    process.
    """
    for left in reversed(range(STARTS)):
        try:
            ray.init(address="local", **options)
            return
        except Exception:
            ray.shutdown()
            if not left:
                raise
