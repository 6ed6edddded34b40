"""The library of native operators, where it is installed: optional everywhere."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from typing import Any

LEVELS = ("avx512", "avx2", "baseline")
LEVEL = "LARNN_KERNELS_LEVEL"
"""Forces the operators to one of LEVELS; `none` leaves them out."""


def library() -> str | None:
    """What to register with onnxruntime, or None where the package larnn-kernels is not here."""
    return None if os.environ.get(LEVEL) == "none" else installed()


def takes_over(domains: str) -> bool:
    """Whether the library has the operators of these domains, which stand between commas; an older
    one has a LARNN's alone."""
    if library() is None or not domains:
        return False
    known = door("larnn_has_domain", [ctypes.c_char_p], ctypes.c_int)
    if known is None:
        return domains == "larnn"
    return all(known(domain.encode()) for domain in domains.split(","))


def installed() -> str | None:
    """Where the library is, whatever LEVEL says of its operators."""
    try:
        from larnn_kernels import LIBRARY
    except ImportError:
        return None
    return LIBRARY


def door(
    name: str, takes: Sequence[Any], gives: Any, *, long: bool = False
) -> Callable[..., int] | None:
    """A function of the library, with ctypes' types; an older library may not have it.

    It keeps the interpreter while it works, since to pass it on takes longer; `long`: it passes the
    interpreter on, for what takes longer than that.
    """
    if (path := installed()) is None:
        return None
    function = getattr((ctypes.CDLL if long else ctypes.PyDLL)(path), name, None)
    if function is not None:
        function.argtypes, function.restype = takes, gives
    return function
