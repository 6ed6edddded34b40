"""When did this last happen: the age of a pulse in the signal of a sensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from larnn_export.memory_tasks.task import Episodes, MemoryTask, Seen

SENSORS = 4
PULSE = (4.0, 2.0, 1.0)
AGES = (4, 8, 16, 32, 64, 128)
"""Bounds of the classes, in steps: from 4 to 7, from 8 to 15, …"""
CLASSES = len(AGES) - 1
FLICKER, PERSISTENCE = 0.2, 0.8
"""Of the signals' own motion, which is autoregressive."""
DETECTED = 2.9
"""Half a pulse's height above what noise and a pulse that fades reach."""


@dataclass(frozen=True)
class LastEvent(MemoryTask):
    """Channels: 4 sensors; a flag for each, which asks for the age of its last pulse.

    An episode has up to four pulses of each sensor, then asks for each sensor's last.
    """

    pulses: int = 4

    channels = 2 * SENSORS
    outputs = CLASSES
    floor = 1 / CLASSES
    ceiling = 0.99

    @property
    def name(self) -> str:
        return f"last-event-{AGES[-1]}"

    def draw(self, count: int, generator: torch.Generator) -> Episodes:
        first, steps = AGES[-1], AGES[-1] + SENSORS
        order = torch.rand(count, SENSORS, generator=generator).argsort(dim=1)
        asked_at = first + order.argsort(dim=1)  # [count, sensors]
        classes = torch.randint(CLASSES, (count, SENSORS), generator=generator)
        low, high = torch.tensor(AGES)[classes], torch.tensor(AGES)[classes + 1]
        ages = low + (torch.rand(low.shape, generator=generator) * (high - low)).long()
        last = asked_at - ages
        signals = self._signals(count, steps, generator)
        spare = len(PULSE) - 1
        for pulse in range(self.pulses):
            earlier = (torch.rand(last.shape, generator=generator) * last).long()
            clear = (pulse == 0) | (earlier < last - spare)
            at = last if pulse == 0 else earlier
            for later, height in enumerate(PULSE):
                signals.scatter_add_(1, (at + later)[:, None], height * clear[:, None].float())
        x = torch.zeros(count, steps, self.channels)
        x[..., :SENSORS] = signals.clamp(max=PULSE[0] + 1)
        x[:, first:, SENSORS:] = torch.nn.functional.one_hot(order, SENSORS).float()
        answers = torch.zeros(count, steps)
        answers[:, first:] = classes.gather(1, order).float()
        return Episodes(x, x[..., SENSORS:].any(dim=-1), answers)

    def _signals(self, count: int, steps: int, generator: torch.Generator) -> torch.Tensor:
        """[count, steps, sensors]"""
        moved = FLICKER * torch.randn(count, steps, SENSORS, generator=generator)
        for step in range(1, steps):
            moved[:, step] += PERSISTENCE * moved[:, step - 1]
        return moved

    def possible(self, seen: Seen) -> tuple[float, ...]:
        sensor = int(seen[-1, SENSORS:].argmax())
        pulses = np.flatnonzero(seen[:, sensor] > DETECTED)
        if len(pulses):
            age = len(seen) - 1 - pulses[-1]
            return (float(np.searchsorted(AGES, age, side="right") - 1),)
        older = [c for c in range(CLASSES) if AGES[c + 1] > len(seen)]
        return tuple(map(float, older)) or (float(CLASSES - 1),)
