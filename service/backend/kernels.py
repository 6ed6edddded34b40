"""The library of native operators, where it is installed: optional everywhere."""

from __future__ import annotations

import os

LEVEL = "LARNN_KERNELS_LEVEL"
"""Forces the library to avx512, avx2 or baseline; `none` leaves it out."""


def library() -> str | None:
    """What to register with onnxruntime, or None where the package larnn-kernels is not here."""
    if os.environ.get(LEVEL) == "none":
        return None
    try:
        from larnn_kernels import LIBRARY
    except ImportError:
        return None
    return LIBRARY
