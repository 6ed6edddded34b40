"""Memory that is freed goes back to the system."""

from __future__ import annotations

import ctypes
import sys

_MMAP_THRESHOLD = -3  # glibc's malloc.h
LARGE = 2**18
"""Bytes of a block that has pages of its own."""


def give_large_blocks_back() -> None:
    """Let glibc return blocks from `LARGE` on as soon as they are free.

    By default it takes the largest block that was ever freed for this measure, so that what a few
    large requests held stays with the process. Does nothing on another C library.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        ctypes.CDLL("libc.so.6").mallopt(_MMAP_THRESHOLD, LARGE)
    except (OSError, AttributeError):
        return
