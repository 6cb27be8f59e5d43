"""Keeping memory that torch has freed for the next tensors, or returning it to the system."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

# Parameters of mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Keep the memory of freed tensors for the next ones in this process.

    Training steps allocate and free the same sizes repeatedly. By default glibc maps and unmaps
    large blocks each time, and the system clears each page on first use, which for a 50 MB tensor
    takes eight times as long as filling it. With this the process holds its peak memory until it
    ends, so it is for training processes only.

    Returns:
        Whether it worked; False if the C library is not glibc.
    """
    mallopt = _glibc("mallopt")
    return bool(mallopt and mallopt(_MMAP_THRESHOLD, _NEVER) and mallopt(_TRIM_THRESHOLD, _NEVER))


def return_freed_memory() -> None:
    """Return freed memory to the system (glibc only).

    glibc keeps freed blocks of up to 32 MiB (mallopt(3), M_MMAP_THRESHOLD), and batches of
    different sizes leave gaps that add up to several times the largest batch.
    """
    trim = _glibc("malloc_trim")
    if trim is not None:
        trim(0)


@cache
def _glibc(name: str) -> Callable[..., int] | None:
    """A function of glibc; None with other C libraries and on other systems."""
    try:
        return getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):
        return None
