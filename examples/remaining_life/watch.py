"""Stream machines that the network has not seen: python -m examples.remaining_life.watch

--picture FILE draws what it told of each, hour by hour, beside what came.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from examples.remaining_life.machine import MOST, hours_left, run_to_failure
from larnn_client import Client

SHIFT = 8
"""Hours whose readings come together."""
UNSEEN = (1001, 1002, 1003)
"""Seeds of machines that nobody was trained on."""


def watched(client: Client, readings: NDArray[np.float32]) -> list[float]:
    """The hours left as they were told after each hour, a shift's readings in a message."""
    told: list[float] = []
    with client.stream(model="remaining-life", emit="every") as stream:
        for prediction in stream.predict(np.split(readings, range(SHIFT, len(readings), SHIFT))):
            told += [answer.values["life"] for answer in prediction.steps or ()]
            print(f"hour {prediction.position}: {prediction.values['life']:.0f} h left")
    return told


def draw(lives: list[list[float]], file: Path) -> None:
    """What was told, and what was so, over the hours of each machine."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 3), layout="constrained")
    for axes, told in zip(figure.subplots(1, len(lives), sharey=True), lives, strict=True):
        axes.plot(hours_left(len(told), MOST), color="#8a94a6", label=f"left, up to {MOST:.0f} h")
        axes.plot(told, color="#0b6e99", label="told")
        axes.set(xlabel="hours", ylim=(0, MOST * 1.05))
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("hours left")
    figure.axes[0].legend(frameon=False)
    figure.savefig(file, dpi=120, metadata={"Software": None})


def main() -> None:
    """Watch each machine to its end, and tell how far off the last day was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://localhost:8000")
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    machines = [run_to_failure(seed) for seed in UNSEEN]
    with Client(arguments.url) as client:
        lives = [watched(client, readings) for readings in machines]
    last = [abs(told - left) for life in lives for left, told in enumerate(life[:-25:-1], 1)]
    print(f"off by {np.mean(last):.1f} h over the last day of {len(lives)} machines")
    if arguments.picture:
        draw(lives, arguments.picture)


if __name__ == "__main__":
    main()
