"""A time of day that nobody can set: what the wall clock said once, and the seconds since."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot() -> str:
    """Names this run of the machine: equal in all its processes until it is started again."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:  # then the name is this process's alone
        return secrets.token_hex(16)


def since_boot() -> float:
    """Seconds since the machine was started, asleep or not; the same clock in every process."""
    if not hasattr(time, "clock_gettime"):  # Windows
        return time.monotonic()
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class BootClock:
    """The wall clock as it was when `began` was taken; setting it since changes nothing."""

    def __init__(self, began: float) -> None:
        """`began`: the time of day at which the machine was started, in seconds since 1970."""
        self._began = began

    def __call__(self) -> float:
        """Seconds since 1970."""
        return self._began + since_boot()


def began() -> float:
    """The time of day at which the machine was started, as the wall clock tells it now."""
    return time.time() - since_boot()
