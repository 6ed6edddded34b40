"""Balance the pole through the service: python -m examples.policy.balance

--picture FILE draws the angle, beside that of the same policy when its state is thrown away.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from examples.policy.cart_pole import STEEPEST, fallen, moved
from larnn_client import Client

MOST = 500
"""Steps: ten seconds."""
START = np.array([0.5, 0.0, 0.1, 0.0])
"""Half a metre to the right, and leaning."""

Push = Callable[[list[float]], float]
"""From what is seen, position and angle, to a force in N."""


def balanced(push: Push) -> list[float]:
    """The pole's angle at each step until it has fallen, or MOST steps are over."""
    state, angles = START, list[float]()
    while len(angles) < MOST and not fallen(state):
        angles.append(float(state[2]))
        state = moved(state, push([float(state[0]), float(state[2])]))
    return angles


def streamed(client: Client) -> list[float]:
    """One step a message, answered before the next is seen: the state stays in the stream."""
    with client.stream(model="pole") as stream:

        def push(seen: list[float]) -> float:
            stream.send([seen])
            return stream.receive(timeout=60).values["force"]

        return balanced(push)


def forgetful(client: Client) -> list[float]:
    """Each step as a sequence of its own: the same network without what it remembers."""
    return balanced(
        lambda seen: client.classify([[seen]], model="pole").predictions[0].values["force"]
    )


def draw(angles: list[float], others: list[float], file: Path) -> None:
    """Both angles over time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3), layout="constrained")
    axes = figure.subplots()
    for told, colour, label in (
        (others, "#8a94a6", "state thrown away"),
        (angles, "#0b6e99", "streamed"),
    ):
        axes.plot(np.arange(len(told)) / 50, told, color=colour, label=label)
    axes.set(xlabel="seconds", ylabel="angle, rad", ylim=(-1.1 * STEEPEST, 1.1 * STEEPEST))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(file, dpi=120, metadata={"Software": None})


def main() -> None:
    """Balance once with the state and once without, and tell for how many steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://localhost:8000")
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    with Client(arguments.url) as client:
        angles, others = streamed(client), forgetful(client)
    print(f"balanced {len(angles)} steps of {MOST}; with its state thrown away {len(others)}")
    if arguments.picture:
        draw(angles, others, arguments.picture)


if __name__ == "__main__":
    main()
