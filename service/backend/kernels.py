"""The library of native operators, where it is installed: optional everywhere."""

from __future__ import annotations

import os

LEVELS = ("avx512", "avx2", "baseline")
LEVEL = "LARNN_KERNELS_LEVEL"
"""Forces the operators to one of LEVELS; `none` leaves them out."""


def library() -> str | None:
    """What to register with onnxruntime, or None where the package larnn-kernels is not here."""
    return None if os.environ.get(LEVEL) == "none" else installed()


def installed() -> str | None:
    """Where the library is, whatever LEVEL says of its operators."""
    try:
        from larnn_kernels import LIBRARY
    except ImportError:
        return None
    return LIBRARY
