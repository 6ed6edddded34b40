"""Keep freed memory: a training step frees and asks again for the same buffers many times over.

By default the C library hands large blocks back to the system each time, and the first touch of
fresh pages can cost more than the arithmetic.
"""

from __future__ import annotations

import ctypes
import sys

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3  # glibc's malloc.h
MIB = 1 << 20


def keep_freed_memory() -> None:
    """Tell glibc to reuse freed blocks; does nothing on another C library."""
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(MMAP_THRESHOLD, 32 * MIB)
    mallopt(TRIM_THRESHOLD, 2047 * MIB)
    mallopt(TOP_PAD, 64 * MIB)
