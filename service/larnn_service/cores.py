"""How many cores this process may use: those it may run on, and no more than its quota pays for."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def cores(groups: Path = _GROUPS, own: Path = _OWN) -> int:
    """At least 1. `groups`: where control groups are mounted; `own`: which this process has.

    A container with a quota sees all cores of its machine. With a run on each, it would have used
    up its quota early in every period, and stand still for the rest.
    """
    most = [_ours()]
    most += [max(math.ceil(quota), 1) for quota in _quotas(groups, own)]
    return min(most)


def _ours() -> int:
    """Those that the system lets this process run on; where it does not say, all of them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(groups: Path, own: Path) -> Iterator[float]:
    """Those of the process's control group and of all above it, in cores."""
    with contextlib.suppress(OSError):
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:  # version 2
                yield from _above(groups, path)
            elif "cpu" in controllers.split(","):
                yield from _above(groups / "cpu", path)


def _above(root: Path, path: str) -> Iterator[float]:
    folder = root / path.lstrip("/")
    for each in (folder, *folder.parents):
        with contextlib.suppress(OSError, ValueError):  # no such file, or no limit
            yield _quota(each)
        if each == root:
            return


def _quota(group: Path) -> float:
    """Raises OSError and ValueError where the group has none."""
    both = group / "cpu.max"
    if both.exists():
        quota, period = both.read_text().split()
    else:
        quota, period = ((group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
    if int(quota) <= 0:
        raise ValueError("no limit")
    return int(quota) / int(period)
