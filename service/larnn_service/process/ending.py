"""The end of the process, which waits for nothing that may never end."""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import sys
import threading
from collections.abc import Iterator

from larnn_service.engine.batching import executor
from larnn_service.engine.models import load_threads

PATIENCE = 2
"""Times the drain timeout, after which the process ends, whatever goes on in it."""


def end_after(seconds: float) -> None:
    """From now on. Ends with status 1, and the log says where each thread was.

    It works where no thread comes to run Python any more.
    """
    faulthandler.dump_traceback_later(seconds, exit=True)


@contextlib.contextmanager
def leaving_threads_behind() -> Iterator[None]:
    """Ends the process, where it would otherwise end by itself while a thread is in native code:
    what that uses would be destroyed below it. gRPC has such threads, and some ends never came."""
    try:
        yield
    except SystemExit as error:
        _leave(error.code)
        raise
    _leave(None)


def _leave(code: object) -> None:
    if "grpc" not in sys.modules and not any(map(_is_ours, threading.enumerate())):
        return
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def _is_ours(thread: threading.Thread) -> bool:
    return thread.name.split("-")[0] in (executor.NAME, load_threads.NAME)
