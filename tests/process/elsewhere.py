"""Python as on a system that is not Linux: python tests/process/elsewhere.py SYSTEM MODULE …

Runs the module with its arguments, after taking away what that system's standard library lacks. It
is no macOS and no Windows: it shows that nothing is asked for that is not there.
"""

from __future__ import annotations

import os
import runpy
import signal
import socket
import sys
import time
from importlib import import_module

MACOS = {
    "os": ("sched_getaffinity", "posix_fallocate"),
    "signal": ("sigtimedwait", "SIGRTMIN"),
    "time": ("CLOCK_BOOTTIME",),
}
WINDOWS = {
    "os": (*MACOS["os"], "fork", "getppid", "setpgid", "waitpid", "O_NONBLOCK"),
    "signal": (
        *(*MACOS["signal"], "setitimer", "pthread_sigmask", "SIGALRM", "SIGCHLD", "SIGHUP"),
        *("SIGKILL", "SIGUSR1", "SIGUSR2"),
    ),
    "socket": ("SO_REUSEPORT",),
    "time": ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC", "clock_gettime"),
}
LACKS = {"macos": MACOS, "windows": WINDOWS}
ABSENT = {"macos": (), "windows": ("fcntl", "resource", "uvloop")}
MODULES = {"os": os, "signal": signal, "socket": socket, "time": time}


def main(system: str, module: str, arguments: list[str]) -> None:
    """Run the module as `python -m` does."""
    for name in ("asyncio", "concurrent.futures.process"):  # which themselves ask on Linux
        import_module(name)
    for name, attributes in LACKS[system].items():
        for attribute in attributes:
            delattr(MODULES[name], attribute)
    for name in ABSENT[system]:
        sys.modules[name] = None  # type: ignore[assignment]
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    del sys.path[0]
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
