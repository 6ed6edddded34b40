"""Random changes of training windows that leave the activity what it is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from export.recipe import TrainConfig
from service.contract import Channel


def random_rotations(count: int, degrees: float, generator: torch.Generator) -> Tensor:
    """[count, 3, 3]: axis uniform on the sphere, angle normal with that spread."""
    axis = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=1)
    angle = torch.randn(count, generator=generator) * math.radians(degrees)
    x, y, z = axis.unbind(1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).view(count, 3, 3)
    sine, versine = angle.sin()[:, None, None], (1 - angle.cos())[:, None, None]
    return torch.eye(3) + sine * cross + versine * (cross @ cross)


def in_triplets(channels: Sequence[Channel]) -> bool:
    """Whether the channels are x, y, z of one sensor after the other, which turn together."""
    axes = "".join(channel.name[-2:] for channel in channels)
    return bool(axes) and axes == "_x_y_z" * (len(axes) // 6)


def augment(
    windows: Tensor, deviation: Tensor, config: TrainConfig, generator: torch.Generator
) -> Tensor:
    """Windows [batch, steps, channels] in physical units, each changed on its own.

    Where they are rotated, channels come in triplets x, y, z that turn together: a phone worn a
    little askew. Noise is measured by `deviation` [channels].
    """
    batch, steps, channels = windows.shape
    turned = windows
    if config.rotation_degrees:
        turn = random_rotations(batch, config.rotation_degrees, generator)
        triplets = windows.reshape(batch, steps * channels // 3, 3)
        turned = torch.bmm(triplets, turn.transpose(1, 2)).view(batch, steps, channels)
    factor = 1 + config.scaling * torch.randn(batch, 1, 1, generator=generator)
    noise = torch.randn(windows.shape, generator=generator) * (config.jitter * deviation)
    return turned * factor + noise
