"""A stream's answers as its client reads them, in either form that they may have."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from larnn_client.answers import Answer, Array, Output, Prediction, Step, of_array, of_json

Emit = Literal["last", "every"] | int
_HEAD = struct.Struct("<3Q")
"""Of a frame of larnn.f32.v2: position, durable, and how many steps it tells of."""


class AnswerReader:
    """Reads the answers of one stream: it knows the model's outputs and what was asked for."""

    def __init__(
        self, outputs: Sequence[Output], asked: Sequence[str], emit: Emit, logits: bool
    ) -> None:
        """`outputs` are the model's, the answer first; `asked` names those that come beside it."""
        first, *others = outputs
        self._told = [first, *(output for output in others if output.name in asked)]
        self._emit, self._logits = emit, logits

    def of_message(self, message: Mapping[str, Any]) -> Prediction:
        """A `prediction` in JSON. Raises KeyError, TypeError, ValueError."""
        last, steps = self.step(message), message.get("predictions")
        return Prediction(
            last.answer,
            last.outputs,
            position=int(message["position"]),
            durable=int(message["durable"]),
            steps=None if steps is None else tuple(self.step(step) for step in steps),
        )

    def step(self, item: Mapping[str, Any]) -> Step:
        """One step, or a whole sequence, in JSON. Raises KeyError, TypeError, ValueError."""
        first, *others = self._told
        told = item.get("outputs", {})
        further = {output.name: of_json(output, told[output.name]) for output in others}
        return Step(of_json(first, item), further)

    def of_frame(self, frame: bytes) -> Prediction:
        """A binary answer of larnn.f32.v2. Raises ValueError, TypeError."""
        if len(frame) < _HEAD.size:
            raise ValueError(f"a frame of {len(frame)} bytes")
        position, durable, count = _HEAD.unpack_from(frame)
        arrays, place = [], _HEAD.size
        for output in self._told:
            dtype = np.dtype(output.dtype).newbyteorder("<")
            numbers = count * math.prod(output.step_shape)
            if place + numbers * dtype.itemsize > len(frame):
                raise ValueError(f"a frame of {len(frame)} bytes for {count} steps")
            array: Array = np.frombuffer(frame, dtype, numbers, place)
            arrays.append(array.reshape(count, *output.step_shape))
            place += array.nbytes
        if not count or place != len(frame):
            raise ValueError(f"a frame of {len(frame)} bytes for {count} steps")
        steps = [self._step([array[index, ...] for array in arrays]) for index in range(count)]
        last = steps[-1]
        return Prediction(
            last.answer, last.outputs, position, durable, self._emitted(steps, position)
        )

    def _step(self, arrays: Sequence[Array]) -> Step:
        answers: list[Answer] = []
        for output, array in zip(self._told, arrays, strict=True):
            answers.append(of_array(output, array, logits=self._logits))
        names = [output.name for output in self._told[1:]]
        return Step(answers[0], dict(zip(names, answers[1:], strict=True)))

    def _emitted(self, steps: list[Step], position: int) -> tuple[Step, ...] | None:
        """Those that were asked for: the last step comes in any case."""
        if self._emit == "last":
            return None
        extra = isinstance(self._emit, int) and position % self._emit
        return tuple(steps[:-1] if extra else steps)
