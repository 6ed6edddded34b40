"""Steps of one stream without a gap, on their way into files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from larnn_service.contract import Manifest
from larnn_service.interfaces import Floats, Steps

FILE_STEPS = 16_384
"""So many do not wait for more: a file costs milliseconds, however few it has."""
SHORT_STEPS = 4_096
"""Up to so many a file is written anew with what follows."""

COST = 512
"""Bytes of rows, however few: of the objects around the arrays."""


class Stretch:
    """Steps of one stream and one version without a gap. A file holds those of one stretch.

    The event loop has all of it but `file` and `written`, which are those of the thread that
    writes.
    """

    __slots__ = ("count", "end", "fence", "file", "manifest", "owner", "ready", "stream", "written")

    def __init__(
        self, manifest: Manifest, stream: str, owner: str, fence: int, position: int
    ) -> None:
        """`stream`: its name here, which is not its id. It begins at the position."""
        self.manifest, self.stream, self.owner, self.fence = manifest, stream, owner, fence
        self.end = position
        """The next step's position."""
        self.ready: list[Rows] = []
        """Those that the store has, and no file."""
        self.count = 0
        """Steps of them."""
        self.file: Path | None = None
        """The newest one; None where the next steps begin a file."""
        self.written = 0
        """Steps that are in it."""

    def handed(self) -> Sequence[Rows]:
        """What is ready, which is whoever asks's now."""
        rows, self.ready, self.count = self.ready, [], 0
        return rows


class Rows(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What a chunk has moved a stream on by."""

    stretch: Stretch
    """To which they belong."""
    position: int
    """Of the first step: steps that the stream had consumed before."""
    end: int
    """The stream's position behind them."""
    steps: Steps
    """[rows, channels], as the model took them."""
    outputs: Floats
    """[rows, columns]"""
    answered: float
    """In seconds since 1970."""

    @property
    def nbytes(self) -> int:
        """What it takes while it waits."""
        return size_of(self.steps, self.outputs)


def size_of(steps: Steps, outputs: Floats) -> int:
    """Bytes that such rows take while they wait."""
    return steps.nbytes + outputs.nbytes + COST
