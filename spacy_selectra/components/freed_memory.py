"""Memory that torch has freed but the process still holds."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import cache

# oneDNN keeps the code and work space of its last 1024 products, one for each number of
# rows, and batches of documents hardly ever have the same number twice. Within a batch all
# layers share a handful.
_KEPT_PRODUCTS = "64"


def limit_kept_products() -> None:
    """Let oneDNN keep fewer products; what the environment says already stays.

    oneDNN reads the variable at its first product, and never again.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", _KEPT_PRODUCTS)


def return_freed_memory() -> None:
    """Hand freed memory back to the system, where the C library can (glibc).

    It keeps what was freed in pieces of up to 32 MiB (mallopt(3), M_MMAP_THRESHOLD), and
    batches of different sizes leave gaps that add up to several times the largest of them.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # other C libraries, other systems
        return None
