"""The filters that made UCI HAR's nine channels of a phone's raw six, as recurrence.

The data set's authors ran them over whole recordings: a median of three samples, then Butterworth
low-passes, each causal. A cascade of second-order sections is linear, so one step of all of it is
one product: [state, sample] times a matrix gives [next state, low-passed, without its slow part].
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import butter, medfilt, sosfilt
from torch import Tensor, nn

from larnn_export.families.loop import Tensors, over_time
from larnn_export.families.parts import at_length, window_at_length
from larnn_service.contract import StateTensor

SAMPLE_RATE_HZ = 50.0
NOISE = (10, 20.0)
"""Order and cut-off in Hz of the low-pass on every channel."""
GRAVITY, DRIFT = (3, 0.3), (2, 0.1)
"""The slow part that acceleration and rotation rate lose."""
SENSORS = ("acc", "gyro")
AXES = 3


class PhoneFilters(nn.Module):
    """Raw acc in g and gyro in rad/s → body acc, body gyro and total acc, one step late.

    The median looks one sample ahead, so the output at step t describes step t-1. Everything is
    float64: the slow filters' poles lie within 1e-2 of the unit circle.
    """

    acc: Tensor  # [states + 1, states + 2]
    gyro: Tensor

    def __init__(self) -> None:
        super().__init__()
        for sensor, slow in zip(SENSORS, (GRAVITY, DRIFT), strict=True):
            matrix = torch.from_numpy(_one_step(_sections(NOISE), _sections(slow)))
            self.register_buffer(sensor, matrix, persistent=False)

    def state_tensors(self) -> list[StateTensor]:
        """The last two samples, and each sensor's filters."""
        recent = StateTensor(
            name="recent",
            shape=(2, AXES * len(SENSORS)),
            dtype="float32",
            description="the last two samples, for the median of three",
        )
        return [recent, *(self._filter_state(sensor) for sensor in SENSORS)]

    def _filter_state(self, sensor: str) -> StateTensor:
        return StateTensor(
            name=f"filters_{sensor}",
            shape=(AXES, len(self.get_buffer(sensor)) - 1),
            dtype="float64",
            description=f"{sensor}: second-order sections, two values each, of each axis",
        )

    def forward(self, x: Tensor, state: Tensors, lengths: Tensor | None) -> tuple[Tensor, Tensors]:
        """x [batch, steps, 6] → [batch, steps, 9] and the state after `lengths`."""
        recent, *filters = state
        history = torch.cat([recent, x], dim=1)
        medians = history.unfold(1, 3, 1).median(dim=-1).values.double()
        filtered, after = [], [window_at_length(recent, x, lengths)]
        for sensor, before, samples in zip(SENSORS, filters, medians.split(AXES, -1), strict=True):
            output, states = self._run(self.get_buffer(sensor), before, samples)
            moved = at_length(before.flatten(1), states.flatten(2), lengths)
            filtered.append(output)
            after.append(moved.view_as(before))
        (total_acc, body_acc), (_, body_gyro) = (output.unbind(-1) for output in filtered)
        return torch.cat([body_acc, body_gyro, total_acc], dim=-1).float(), tuple(after)

    @staticmethod
    def _run(matrix: Tensor, before: Tensor, samples: Tensor) -> Tensors:
        """Outputs [batch, steps, axes, 2] and states [batch, steps, axes, states]."""

        def step(carry: Tensors, inputs: Tensors) -> tuple[Tensors, Tensors]:
            moved = torch.cat([carry[0], inputs[0][..., None]], dim=-1) @ matrix
            state, output = moved.split([len(matrix) - 1, 2], dim=-1)
            return (state,), (output, state)

        return over_time(step, (before,), (samples,))


def filter_recording(signals: NDArray[np.float32]) -> NDArray[np.float32]:
    """[steps, 9] of a whole recording [steps, 6], the two in time with each other."""

    def low_pass(x: NDArray[np.float64], design: tuple[int, float]) -> NDArray[np.float64]:
        return np.asarray(sosfilt(_sections(design), x, axis=0))

    medians = medfilt(signals.astype(np.float64), (3, 1))
    total_acc, gyro = np.split(low_pass(medians, NOISE), len(SENSORS), axis=1)
    body_acc, body_gyro = total_acc - low_pass(total_acc, GRAVITY), gyro - low_pass(gyro, DRIFT)
    channels = np.concatenate([body_acc, body_gyro, total_acc], axis=1)
    return np.ascontiguousarray(channels, dtype=np.float32)


def _sections(design: tuple[int, float]) -> NDArray[np.float64]:
    order, cut_off = design
    sections: NDArray[np.float64] = butter(order, cut_off, fs=SAMPLE_RATE_HZ, output="sos")
    return sections


def _one_step(noise: NDArray[np.float64], slow: NDArray[np.float64]) -> NDArray[np.float64]:
    """[states + 1, states + 2]: what one step makes of each value of [state, sample].

    The columns are the next state, the low-passed sample and what the slow filter leaves of it.
    """
    states = 2 * (len(noise) + len(slow))
    *state, sample = np.eye(states + 1)
    after, low = _through(noise, state[: 2 * len(noise)], sample)
    after_slow, slow_part = _through(slow, state[2 * len(noise) :], low)
    return np.stack([*after, *after_slow, low, low - slow_part], axis=1)


def _through(
    sections: NDArray[np.float64], state: list[NDArray[np.float64]], x: NDArray[np.float64]
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
    """Next state and output of a cascade, transposed direct form II."""
    after = []
    for index, (b0, b1, b2, _, a1, a2) in enumerate(sections):
        first, second = state[2 * index : 2 * index + 2]
        y = b0 * x + first
        after += [b1 * x - a1 * y + second, b2 * x - a2 * y]
        x = y
    return after, x
