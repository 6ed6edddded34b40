"""Waiting so that no signal is missed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")
_DONE = b"\0"
"""No signal's number."""


def wait_for(ended: Future[T], within: float | None = None) -> T:
    """What it is given. In the main thread the handlers of signals run meanwhile.

    A lock does not do: Python runs a handler in the main thread, and nothing wakes that where the
    signal comes just before it begins to wait for the lock, or to another thread. The byte that
    each signal leaves in a socket stays until it is read, and is handed on to whoever was told
    before, such as an event loop. Raises what `ended` was given, and TimeoutError after `within`
    seconds.
    """
    if threading.current_thread() is not threading.main_thread():
        return ended.result(within)
    until = None if within is None else time.monotonic() + within
    heard = b""
    here, there = socket.socketpair()
    with here, there:
        there.setblocking(False)
        before = signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)
        try:
            ended.add_done_callback(lambda _: _wake(there))
            while not ended.done():
                if until is not None:
                    here.settimeout(max(until - time.monotonic(), 0.001))
                heard += here.recv(4096)
        finally:
            signal.set_wakeup_fd(before, warn_on_full_buffer=False)
            here.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                heard += here.recv(4096)
            _hand_on(heard.replace(_DONE, b""), before)
    return ended.result()


def _wake(there: socket.socket) -> None:
    with contextlib.suppress(OSError):  # full, or closed: it is not waited for
        there.send(_DONE)


def _hand_on(signals: bytes, to: int) -> None:
    if to != -1 and signals:
        with contextlib.suppress(OSError):  # full, or closed
            os.write(to, signals)
