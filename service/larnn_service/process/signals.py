"""Waiting in the main thread, so that no signal is missed."""

from __future__ import annotations

import contextlib
import signal
import socket
from concurrent.futures import Future


def wait_for(ended: Future[None]) -> None:
    """Wait until it has a result, while the handlers of signals run here.

    A lock does not do: Python runs a handler in the main thread, and nothing wakes that where the
    signal comes just before it begins to wait for the lock, or to another thread. The byte that
    each signal leaves in a socket stays until it is read. Raises what `ended` was given.
    """
    here, there = socket.socketpair()
    with here, there:
        there.setblocking(False)
        before = signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)
        try:
            ended.add_done_callback(lambda _: _wake(there))
            while not ended.done():
                here.recv(4096)
        finally:
            signal.set_wakeup_fd(before)
    ended.result()


def _wake(there: socket.socket) -> None:
    with contextlib.suppress(OSError):  # full, or closed: it is not waited for
        there.send(b"\0")
