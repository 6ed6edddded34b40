"""What is captured of one stream: it waits until the store has the stream so far."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from larnn_service.engine.capture.stretch import Rows, Stretch, size_of
from larnn_service.engine.streams.checkpoint import Checkpoint
from larnn_service.interfaces import Model, Steps

if TYPE_CHECKING:
    from larnn_service.engine.capture.capture import Capture


class Recorder:
    """Of a stream as one replica owns it. A step goes to a file only when it is durable: it cannot
    be run again then, here or elsewhere, so no file has it twice."""

    __slots__ = ("_capture", "_fence", "_owner", "_stream", "_stretch", "_waiting")

    def __init__(self, capture: Capture, stream: str, owner: str, fence: int) -> None:
        """`stream`: its name here, which is not its id."""
        self._capture, self._stream, self._owner, self._fence = capture, stream, owner, fence
        self._waiting: deque[Rows] = deque()
        """What the store has not got yet."""
        self._stretch: Stretch | None = None

    def take(self, model: Model, after: Checkpoint, steps: Steps | None) -> None:
        """These steps, or a state that was put in, have brought the stream where it stands `after`
        them."""
        count = 0 if steps is None else len(steps)
        first = after.position - count
        if self._waiting and first < self._waiting[-1].end:
            self.leave()  # a state was put in that is older: what lies between is history
        if steps is None or not count:
            return
        outputs = after.outputs[len(after.outputs) - count :]
        if not self._capture.has_room(size_of(steps, outputs), count):
            return
        stretch = self._stretch
        if stretch is None or stretch.end != first or stretch.manifest is not model.manifest:
            manifest = model.manifest
            stretch = Stretch(manifest, self._stream, self._owner, self._fence, first)
            self._stretch = stretch
        stretch.end = after.position
        arrays = steps.copy(), outputs.copy()  # both may be parts of much larger ones
        self._waiting.append(Rows(stretch, first, after.position, *arrays, time.time()))

    def settle(self, position: int) -> None:
        """The store has the stream at this position."""
        waiting = self._waiting
        while waiting and waiting[0].end <= position:
            self._capture.keep(waiting.popleft())

    def leave(self) -> None:
        """The stream goes on elsewhere, or not at all: what the store has not got is not kept."""
        for rows in self._waiting:
            self._capture.release(rows.nbytes)
        self._waiting.clear()
        self._stretch = None
