"""Connecting to a Ray cluster, or starting Ray on this machine."""

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

ADDRESS = "RAY_ADDRESS"  # Ray's own variable
STARTS = 3  # attempts to start Ray on this machine
_NO_START = f"Ray does not start here in {STARTS} attempts; is the machine too busy?"


@contextmanager
def ray_cluster(processors: int) -> Iterator[Any]:
    """Yield the package `ray`, with `ray.data`, connected to a cluster.

    With RAY_ADDRESS in the environment, it connects to that cluster. Otherwise Ray is started on
    this machine and stopped at the end. An existing connection is kept. The output of Ray and its
    workers is suppressed, but not their exceptions. While connected, Ray handles signals, so enter
    `StopRequest` within this.

    Args:
        processors: number of processors for Ray on this machine.

    Raises:
        SelectraError: Ray is not installed, or there is no cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # send no usage statistics
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
    except Exception as error:  # a plain Exception if it takes too long to start
        place = f"no Ray cluster at {ADDRESS}={address}" if address else _NO_START
        raise SelectraError(f"{place} ({error})") from error


def _start(ray: Any, **options: Any) -> None:
    """Start Ray, with further attempts if it takes too long.

    Its raylet fails if a helper process has not written its ports after 15 seconds, which cannot be
    configured (ray-project/ray#65983, in 2.60). On a busy machine, importing Ray in this helper can
    take longer. Processes of a failed attempt end with this process.
    """
    for left in reversed(range(STARTS)):
        try:
            ray.init(address="local", **options)
            return
        except Exception:
            ray.shutdown()
            if not left:
                raise
