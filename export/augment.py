"""Random changes of training windows that leave the activity what it is."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from export.recipe import TrainConfig


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


def sensor_frames(count: int, config: TrainConfig, generator: torch.Generator) -> Tensor:
    """[count, 3, 3]: a phone worn a little askew, and somebody who moves a little more or less."""
    turn = random_rotations(count, config.rotation_degrees, generator, config.far_rotation)
    return turn * (1 + config.scaling * torch.randn(count, 1, 1, generator=generator))


def augment(rows: Tensor, frames: Tensor, noise: Tensor, generator: torch.Generator) -> Tensor:
    """Rows [batch, steps, channels] in physical units, each in its frame [batch, 3, 3], and noise.

    Channels come in triplets x, y, z that turn together. `noise` [channels] is its spread.
    """
    batch, steps, channels = rows.shape
    triplets = rows.reshape(batch, steps * channels // 3, 3)
    turned = torch.bmm(triplets, frames.transpose(1, 2)).view(rows.shape)
    return turned + torch.randn(rows.shape, generator=generator) * noise
