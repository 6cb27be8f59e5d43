"""What becomes of memory that torch has freed: kept for the next tensors, or given back."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

# Parameters of mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Have this process keep the memory of freed tensors for the next ones.

    A training step allocates and frees the same sizes again and again. By default glibc maps every
    large one anew and gives it back at once, and the system clears each page when it is first
    touched: for a 50 MB tensor eight times as long as it takes to fill it. Kept, the pages stay.
    The process holds the memory of its busiest moment until it ends, so this is for
    processes that do nothing but train.

    Returns:
        Whether it worked; False where the C library is not glibc.
    """
    mallopt = _glibc("mallopt")
    return bool(mallopt and mallopt(_MMAP_THRESHOLD, _NEVER) and mallopt(_TRIM_THRESHOLD, _NEVER))


def return_freed_memory() -> None:
    """Hand freed memory back to the system, where the C library can (glibc).

    It keeps what was freed in pieces of up to 32 MiB (mallopt(3), M_MMAP_THRESHOLD), and
    batches of different sizes leave gaps that add up to several times the largest of them.
    """
    trim = _glibc("malloc_trim")
    if trim is not None:
        trim(0)


@cache
def _glibc(name: str) -> Callable[..., int] | None:
    """A function that only glibc has; None with other C libraries and on other systems."""
    try:
        return getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):
        return None
