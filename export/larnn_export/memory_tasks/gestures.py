"""Gestures that refer to one before: which gesture was the third last?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from larnn_export.memory_tasks.task import Episodes, MemoryTask, Seen, one_hot, shuffled

KINDS = 6
AXES = 3
MOVED = 6
"""Steps of one gesture."""
NOISE = 0.1


def _templates() -> torch.Tensor:
    """[kinds, MOVED, axes]: a push or a circle along each of the axes."""
    t = 2 * math.pi * torch.arange(MOVED) / MOVED
    moved = torch.zeros(KINDS, MOVED, AXES)
    for axis in range(AXES):
        moved[2 * axis, :, axis] = t.sin()
        moved[2 * axis + 1, :, axis] = t.cos()
        moved[2 * axis + 1, :, (axis + 1) % AXES] = t.sin()
    return moved


TEMPLATES = _templates()


@dataclass(frozen=True)
class Gestures(MemoryTask):
    """Channels: 3 accelerations; a flag where a gesture begins; how many gestures back, one-hot.

    An episode has so many gestures, each of its own strength, then asks for each of them once.
    """

    gestures: int = 8

    outputs = KINDS
    floor = 1 / KINDS

    @property
    def name(self) -> str:
        return f"gestures-{self.gestures}"

    @property
    def channels(self) -> int:
        return AXES + 1 + self.gestures

    def draw(self, count: int, generator: torch.Generator) -> Episodes:
        gestures, first = self.gestures, self.gestures * MOVED
        kinds = torch.randint(KINDS, (count, gestures), generator=generator)
        strength = 0.7 + 0.6 * torch.rand(count, gestures, 1, 1, generator=generator)
        moved = (strength * TEMPLATES[kinds]).flatten(1, 2)
        back = shuffled(count, gestures, generator)
        x = torch.zeros(count, first + gestures, self.channels)
        x[:, :first, :AXES] = moved
        x[..., :AXES] += NOISE * torch.randn(x[..., :AXES].shape, generator=generator)
        x[:, :first:MOVED, AXES] = 1
        x[:, first:, AXES + 1 :] = one_hot(back, gestures)
        answers = torch.zeros(count, first + gestures)
        answers[:, first:] = kinds.gather(1, gestures - 1 - back).float()
        return Episodes(x, x[..., AXES + 1 :].any(dim=-1), answers)

    def possible(self, seen: Seen) -> tuple[float, ...]:
        back = int(seen[-1, AXES + 1 :].argmax())
        begins = np.flatnonzero(seen[:, AXES] == 1)
        if len(begins) <= back:
            return tuple(map(float, range(KINDS)))
        at = begins[-1 - back]
        likeness = (TEMPLATES.numpy() * seen[at : at + MOVED, :AXES]).sum(axis=(1, 2))
        strength = (TEMPLATES.numpy() ** 2).sum(axis=(1, 2)) ** 0.5
        return (float((likeness / strength).argmax()),)
