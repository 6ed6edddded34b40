"""What becomes of a phone's numbers in other hands: mounts, units, noise, and no person at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from larnn_export.data.uci_har import SAMPLE_RATE_HZ
from larnn_service.conversion.units import STANDARD_GRAVITY

Floats = NDArray[np.float32]
Generator = np.random.Generator
Change = Callable[[Floats, Generator], Floats]
"""[steps, 6] of acceleration in g and angular velocity in rad/s → the same steps, otherwise."""
REST_NOISE_G, REST_NOISE_RAD = 0.003, 0.002
"""Of a phone's sensors that lie still, standard deviations."""
CAR_G, CAR_RAD = 0.05, 0.03
"""Of a phone in a car that drives, likewise, between 1 and 15 Hz."""


@dataclass(frozen=True)
class Row:
    """A row of the robustness table."""

    name: str
    change: Change
    units: str = ""
    """What a client says of it, so that the service makes it as it was recorded."""
    axes: str = ""
    of_people: bool = True
    """Whether somebody's activity is in it, so that an answer may be right."""

    @property
    def told(self) -> bool:
        """Whether there is something that a client can say."""
        return bool(self.units or self.axes)


def _scaled(acc: float, gyro: float) -> Change:
    factors = np.repeat([acc, gyro], 3)
    return lambda signals, _: (signals * factors).astype(np.float32)


def _turned(axis: int, quarters: int) -> Change:
    """By so many times 90° about an axis: what the turned phone measures."""
    one, other = (axis + 1) % 3, (axis + 2) % 3

    def change(signals: Floats, _: Generator) -> Floats:
        found = signals.reshape(-1, 2, 3).copy()
        for _quarter in range(quarters):
            found[..., one], found[..., other] = found[..., other].copy(), -found[..., one]
        return found.reshape(signals.shape)

    return change


def _noisy(signals: Floats, random: Generator) -> Floats:
    noise = np.zeros(signals.shape)
    noise[:, :3] = random.normal(0, 0.05, (len(signals), 3))
    return (signals + noise).astype(np.float32)


def _at_rest(signals: Floats, random: Generator) -> Floats:
    spread = np.repeat([REST_NOISE_G, REST_NOISE_RAD], 3)
    still = random.normal(0, spread, signals.shape)
    still[:, 2] += 1
    return still.astype(np.float32)


def _in_a_car(signals: Floats, random: Generator) -> Floats:
    """Gravity along the phone's length, and vibrations."""
    shares = np.fft.rfft(random.normal(0, 1, signals.shape), axis=0)
    hertz = np.fft.rfftfreq(len(signals), 1 / SAMPLE_RATE_HZ)
    shares[(hertz < 1) | (hertz > 15)] = 0
    moved = np.fft.irfft(shares, len(signals), axis=0)
    moved *= np.repeat([CAR_G, CAR_RAD], 3) / moved.std(axis=0)
    moved[:, 1] += 1
    return moved.astype(np.float32)


def _shaken(signals: Floats, random: Generator) -> Floats:
    """By a hand: three to five times a second, and gravity from anywhere."""
    seconds = np.arange(len(signals))[:, None] / SAMPLE_RATE_HZ
    amplitudes = np.concatenate([random.uniform(0.5, 2, 3), random.uniform(1, 5, 3)])
    phases = random.uniform(0, 2 * np.pi, 6)
    found = amplitudes * np.sin(2 * np.pi * random.uniform(3, 5) * seconds + phases)
    found += random.normal(0, 0.1, signals.shape)
    down = random.normal(0, 1, 3)
    found[:, :3] += down / np.linalg.norm(down)
    return found.astype(np.float32)


def _full(value: float) -> Change:
    return lambda signals, _: np.full(signals.shape, value, np.float32)


ROWS: tuple[Row, ...] = (
    Row("as recorded", _scaled(1, 1)),
    Row("acceleration's sign flipped", _scaled(-1, 1), axes="acc=-x-y-z"),
    Row("turned by 90° about x", _turned(0, 1), axes="x-zy"),
    Row("turned by 90° about y", _turned(1, 1), axes="zy-x"),
    Row("turned by 90° about z", _turned(2, 1), axes="-yxz"),
    Row("turned by 180° about x", _turned(0, 2), axes="x-y-z"),
    Row("turned by 180° about y", _turned(1, 2), axes="-xy-z"),
    Row("turned by 180° about z", _turned(2, 2), axes="-x-yz"),
    Row("acceleration in m/s²", _scaled(STANDARD_GRAVITY, 1), units="m/s²"),
    Row("turning in deg/s", _scaled(1, 180 / np.pi), units="deg/s"),
    Row("noise of 0.05 g", _noisy),
    Row("a phone on a table", _at_rest, of_people=False),
    Row("zeros", _full(0), of_people=False),
    Row("vibrations as in a car", _in_a_car, of_people=False),
    Row("1e30 everywhere", _full(1e30), of_people=False),
    Row("shaken by hand", _shaken, of_people=False),
)
NOVEL = (
    "turned by 180° about x",
    "turned by 180° about y",
    "turned by 180° about z",
    "acceleration in m/s²",
    "turning in deg/s",
    "a phone on a table",
    "zeros",
    "vibrations as in a car",
    "shaken by hand",
)
"""Rows that a novelty is to tell from people's own motion."""
