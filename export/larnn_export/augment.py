"""Random changes of training windows that leave the activity what it is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from larnn_export.recipe import TrainConfig
from larnn_service.contract import Channel


def random_rotations(
    count: int, degrees: float, generator: torch.Generator, far: float = 0.0
) -> Tensor:
    """[count, 3, 3]: axis uniform on the sphere, angle normal with that spread.

    A share `far` of them has an angle uniform over the whole circle instead.
    """
    axis = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=1)
    angle = torch.randn(count, generator=generator) * math.radians(degrees)
    if far:
        turned = torch.rand(count, generator=generator) < far
        angle = torch.where(turned, 2 * torch.pi * torch.rand(count, generator=generator), angle)
    x, y, z = axis.unbind(1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).view(count, 3, 3)
    sine, versine = angle.sin()[:, None, None], (1 - angle.cos())[:, None, None]
    return torch.eye(3) + sine * cross + versine * (cross @ cross)


def in_triplets(channels: Sequence[Channel]) -> bool:
    """Whether the channels are x, y, z of one sensor after the other, which turn together."""
    axes = "".join(channel.name[-2:] for channel in channels)
    return bool(axes) and axes == "_x_y_z" * (len(axes) // 6)


def sensor_frames(count: int, config: TrainConfig, generator: torch.Generator) -> Tensor:
    """[count, 3, 3]: a phone worn a little askew, and somebody who moves a little more or less.

    Without rotations [count, 1, 1], the latter alone.
    """
    turn = torch.ones(count, 1, 1)
    if config.rotation_degrees or config.far_rotation:
        turn = random_rotations(count, config.rotation_degrees, generator, config.far_rotation)
    return turn * (1 + config.scaling * torch.randn(count, 1, 1, generator=generator))


def augment(rows: Tensor, frames: Tensor, noise: Tensor, generator: torch.Generator) -> Tensor:
    """Rows [batch, steps, channels] in physical units, each in its frame [batch, n, n], and noise.

    Every n channels turn together: x, y, z of a sensor. `noise` [channels] is its spread.
    """
    together = rows.reshape(len(rows), -1, frames.shape[1])
    turned = torch.bmm(together, frames.transpose(1, 2)).view(rows.shape)
    return turned + torch.randn(rows.shape, generator=generator) * noise
