"""A pole on a cart, 50 times a second, and the controller that sees all of it.

The equations are those of Barto, Sutton and Anderson (1983), Neuronlike adaptive elements that can
solve difficult learning control problems, without friction.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
GRAVITY, CART, POLE, HALF, SECONDS = 9.8, 1.0, 0.1, 0.5, 0.02
"""m/s², kg, kg, the pole's half length in m, and the time of a step."""
FORCE, WIDEST, STEEPEST = 10.0, 2.4, 0.21
"""The most that pushes, in N; the pole has fallen beyond so many m or rad."""


def moved(state: Floats, force: Floats | float) -> Floats:
    """[…, 4] position, velocity, angle, angular velocity, one step later."""
    _, velocity, angle, turning = np.moveaxis(state, -1, 0)
    sine, cosine, whole = np.sin(angle), np.cos(angle), CART + POLE
    pushed = (np.clip(force, -FORCE, FORCE) + POLE * HALF * turning**2 * sine) / whole
    falling = (GRAVITY * sine - cosine * pushed) / (HALF * (4 / 3 - POLE * cosine**2 / whole))
    moving = pushed - POLE * HALF * falling * cosine / whole
    return state + SECONDS * np.stack([velocity, moving, turning, falling], axis=-1)


def fallen(state: Floats) -> NDArray[np.bool_]:
    """[…] whether it has."""
    return (np.abs(state[..., 0]) > WIDEST) | (np.abs(state[..., 2]) > STEEPEST)


def gains() -> Floats:
    """[4] of the linear-quadratic regulator: force = -gains · state, which sees the velocities."""
    still, least = np.zeros(4), 1e-4
    a = np.stack([(moved(still + d, 0) - still) / least for d in least * np.eye(4)], axis=1)
    b = ((moved(still, least) - still) / least)[:, None]
    cost, value = np.diag([1.0, 0.1, 10.0, 0.1]), np.eye(4)
    for _ in range(2000):
        gain = np.linalg.solve(0.01 + b.T @ value @ b, b.T @ value @ a)
        value = cost + a.T @ value @ (a - b @ gain)
    force: Floats = gain[0]
    return force
