"""Open files that the system allows this process; on Windows it has no such limit."""

from __future__ import annotations

import contextlib
import sys

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]


def allowed() -> int:
    """How many; sys.maxsize where there is no limit."""
    if resource is None:
        return sys.maxsize
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if files == resource.RLIM_INFINITY else files


def raise_limit() -> None:
    """As many as the system allows this process."""
    if resource is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(ValueError, OSError):  # not everywhere may it be raised so far
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
