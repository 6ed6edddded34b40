"""No signal is missed by a process whose work is in another thread."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future

from larnn_service.signals import wait_for
from tests.live import PACKAGES

SIGNALS = 2_000
CHILD = """
import signal, sys, threading
from concurrent.futures import Future
from larnn_service.signals import wait_for

ended, heard = Future(), threading.Semaphore(0)

def work():
    for number in range(int(sys.argv[1])):
        print(number, flush=True)
        heard.acquire()
    ended.set_result(None)

signal.signal(signal.SIGHUP, lambda *_: heard.release())
threading.Thread(target=work, daemon=True).start()
wait_for(ended)
"""


def test_a_signal_that_comes_while_the_last_is_acted_on_is_heard() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(SIGNALS)],
        env={"PYTHONPATH": ":".join(PACKAGES)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    with child:
        try:
            for number in range(SIGNALS):
                assert child.stdout.readline() == f"{number}\n"
                child.send_signal(signal.SIGHUP)
            assert child.wait(60) == 0
        finally:
            child.kill()


class SignalledOnceAwaited(Future[int]):
    """A signal comes and it is done, in another thread, as soon as somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.Thread(target=self._end)

    def _end(self) -> None:
        signal.raise_signal(signal.SIGHUP)
        self.set_result(1)

    def add_done_callback(self, fn: Callable[[Future[int]], object]) -> None:
        super().add_done_callback(fn)
        self.thread.start()


async def test_an_event_loop_hears_of_a_signal_that_came_while_it_waited() -> None:
    heard = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, heard.set)
    ended = SignalledOnceAwaited()
    try:
        assert wait_for(ended) == 1
        ended.thread.join()
        await asyncio.wait_for(heard.wait(), 60)
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
