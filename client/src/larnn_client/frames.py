"""Samples of any number, cut into the frames that a model takes as its steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import ArrayLike

from larnn_client.inputs import Input
from larnn_client.messages import Steps

MOST_STEPS, MOST_NUMBERS = 512, 2**17
"""Of frames in one message: the service's own limits are beyond them, for JSON too."""


class Frames:
    """What is left of the samples when whole frames are cut off."""

    def __init__(self, width: int) -> None:
        """`width` samples are a frame."""
        self._width = width
        self._left: list[Steps] = []

    @property
    def left(self) -> int:
        """Samples that fill no frame yet."""
        return sum(map(len, self._left))

    def cut(self, samples: Steps) -> tuple[Steps, Steps]:
        """Whole frames [steps, width], and what is left, where these come behind the others."""
        whole = np.concatenate([*self._left, samples])
        steps = len(whole) // self._width
        end = steps * self._width
        return whole[:end].reshape(steps, self._width), whole[end:].copy()

    def padding(self) -> int:
        """How many samples are missing of the frame that is begun; 0 where none is."""
        return -self.left % self._width

    def keep(self, samples: Steps) -> None:
        """These are left, and no others."""
        self._left = [samples] if len(samples) else []


def most_steps(step: Input) -> int | None:
    """How many frames go in one message; None where steps are no frames, and go as they come."""
    if step.frame is None:
        return None
    return max(1, min(MOST_STEPS, MOST_NUMBERS // step.width))


def portions(chunk: ArrayLike, step: Input) -> Iterator[ArrayLike]:
    """A caller's chunk as it is, or samples of no more than go in one message each."""
    samples = np.asarray(chunk) if (most := most_steps(step)) is not None else None
    if samples is None or most is None or samples.shape[1:] not in ((), (step.width,)):
        yield chunk  # whoever takes it says what is wrong with it
        return
    row = samples.reshape(-1)
    for start in range(0, len(row), most * step.width):
        yield row[start : start + most * step.width]


def one_or_several(chunks: Iterable[ArrayLike]) -> Iterable[ArrayLike]:
    """A row of samples is one chunk."""
    if isinstance(chunks, np.ndarray) and chunks.ndim == 1 and chunks.dtype != object:
        return [chunks]
    return chunks
