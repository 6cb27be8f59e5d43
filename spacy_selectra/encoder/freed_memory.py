"""What becomes of memory that torch has freed: kept for the next tensors, or given back."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import cache

# Parameters of mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_NEVER = 2**31 - 1

# oneDNN keeps the code of its last 1024 products, and torch their descriptions and work space,
# one for each number of rows, and batches of documents hardly ever have the same number twice.
# Within a batch all layers share a handful.
_KEPT_PRODUCTS = "64"
_LIMITS = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")


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


def limit_kept_products() -> None:
    """Let oneDNN and torch keep fewer products; what the environment says already stays.

    They read the variables at their first product, and never again.
    """
    for name in _LIMITS:
        os.environ.setdefault(name, _KEPT_PRODUCTS)


@cache
def _glibc(name: str) -> Callable[..., int] | None:
    """A function that only glibc has; None with other C libraries and on other systems."""
    try:
        return getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):
        return None
