"""How a training process deals with memory that it frees and will want again in a moment."""

from __future__ import annotations

import ctypes
import sys

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
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # musl has no mallopt
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _NEVER) and mallopt(_TRIM_THRESHOLD, _NEVER))
