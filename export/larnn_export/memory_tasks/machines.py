"""Machines that one sensor line hears in turn: a vibration means what the machine was set to.

Each machine is told a speed. Later each is heard, and the question is how far off its speed it
runs: the same vibration is right for one machine and wrong for another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from larnn_export.memory_tasks.task import Episodes, MemoryTask, Seen, one_hot, shuffled

SPEEDS = 4
AXES = 3
HEARD = 6
"""Steps for which a machine is heard."""
NOISE = 0.1
TURN = 2 * math.pi / 10
"""Radians a step at the lowest speed; the others are its multiples."""


@dataclass(frozen=True)
class Machines(MemoryTask):
    """Channels: 3 accelerometers around the shaft; the machine and the told speed, one-hot; a flag
    for the question, at the last step for which a machine is heard."""

    machines: int = 8
    gap: int = 0
    """Empty steps between the last setting and the first machine heard."""

    outputs = SPEEDS
    floor = 1 / SPEEDS

    @property
    def name(self) -> str:
        return f"machines-{self.machines}" + (f"-gap-{self.gap}" if self.gap else "")

    @property
    def channels(self) -> int:
        return AXES + self.machines + SPEEDS + 1

    def draw(self, count: int, generator: torch.Generator) -> Episodes:
        machines, first = self.machines, self.machines + self.gap
        steps = first + machines * HEARD
        speeds = torch.randint(SPEEDS, (count, machines), generator=generator)
        set_to = torch.randint(SPEEDS, (count, machines), generator=generator)
        told, heard = (shuffled(count, machines, generator) for _ in range(2))
        x = torch.zeros(count, steps, self.channels)
        machine, speed = x[..., AXES : AXES + machines], x[..., AXES + machines : -1]
        machine[:, :machines] = one_hot(told, machines)
        speed[:, :machines] = one_hot(set_to.gather(1, told), SPEEDS)
        machine[:, first:] = one_hot(heard.repeat_interleave(HEARD, dim=1), machines)
        running = speeds.gather(1, heard)
        x[:, first:, :AXES] = self._vibration(running, generator)
        asked = torch.zeros(count, steps, dtype=torch.bool)
        asked[:, first + HEARD - 1 :: HEARD] = True
        x[..., -1] = asked
        answers = torch.zeros(count, steps)
        off = (running - set_to.gather(1, heard)) % SPEEDS
        answers[:, first + HEARD - 1 :: HEARD] = off.float()
        return Episodes(x, asked, answers)

    def _vibration(self, running: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """[count, machines·HEARD, axes] of speeds [count, machines]."""
        count, machines = running.shape
        phase = 2 * math.pi * torch.rand(count, machines, 1, generator=generator)
        angle = phase + TURN * (running[..., None] + 1) * torch.arange(HEARD)
        axes = 2 * math.pi * torch.arange(AXES) / AXES
        heard = (angle[..., None] - axes).cos().flatten(1, 2)
        return heard + NOISE * torch.randn(heard.shape, generator=generator)

    def possible(self, seen: Seen) -> tuple[float, ...]:
        machine = seen[:, AXES : AXES + self.machines]
        mine = machine[:, machine[-1].argmax()] == 1
        told = seen[:, AXES + self.machines : -1]
        set_to = np.flatnonzero(mine & (told.max(axis=1) == 1))
        if not len(set_to):
            return tuple(map(float, range(SPEEDS)))
        running = speed_of(seen[-HEARD:, :AXES])
        return (float((running - told[set_to[-1]].argmax()) % SPEEDS),)


def speed_of(heard: Seen) -> int:
    """The speed of a shaft heard [steps, axes]: how far it turns from one step to the next."""
    axes = 2 * np.pi * np.arange(AXES) / AXES
    turning = heard @ np.exp(1j * axes)
    turned = np.angle((turning[1:] * turning[:-1].conj()).sum())
    return round(float(turned) / TURN) - 1
