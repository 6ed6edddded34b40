"""What every network of a study has in common, and how its networks are made one size."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from larnn_export.families import FAMILIES, NetworkConfig, configure
from larnn_export.families.config import HeadsConfig
from larnn_export.memory_tasks import MemoryTask
from larnn_export.networks import RecurrentClassifier


class Protocol(BaseModel):
    """The same for every network of a study."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parameters: int = Field(68_000, ge=1)
    """Of each network, as nearly as its hidden size allows."""
    updates: int = Field(4_000, ge=1)
    batch_size: int = Field(64, ge=1)
    learning_rate: float = Field(1e-2, gt=0)
    """The peak of a one-cycle schedule, where it is not tuned."""
    warmup: float = Field(0.3, gt=0, lt=1)
    """The part of all updates for which the learning rate rises."""
    weight_decay: float = Field(1e-2, ge=0)
    clip_norm: float = Field(1.0, gt=0)
    chunk: int = Field(0, ge=0)
    """Where not 0, networks learn and are measured on endless streams, so many steps at a time,
    their state carried on; else on episodes."""
    tested: int = Field(1_000, ge=5)
    """Unseen episodes that the last network is measured on, or streams of as many steps."""
    points: int = Field(20, ge=1)
    """Of the learning curve, each measured on a fifth as many other episodes."""
    trials: int = Field(0, ge=0)
    """Settings of the learning rate, and of the gates' start where a contender states none, that
    are tried for each contender; 0 where neither is tuned."""
    trial_updates: int = Field(2_500, ge=1)
    """Enough to tell who learns: in fewer than 2,400 of 4,000, recall is at its plateau still."""


def network_for(task: MemoryTask, fields: dict[str, Any], parameters: int) -> NetworkConfig:
    """The family's network for a task whose size is nearest to so many parameters.

    `fields` are those of `configure`, but for the sizes that the task and the budget give. How many
    parameters there are is a polynomial of degree two in the hidden size, so three small networks
    tell the size of any.
    """
    divided = issubclass(type(FAMILIES[fields["family"]].preset), HeadsConfig)
    step = fields["heads"] if divided else 1
    sizes = {"channels": task.channels, "classes": task.outputs}

    def config(steps: int) -> NetworkConfig:
        return configure({"layers": 2, **fields, **sizes, "hidden_size": steps * step})

    few = (1, 2, 3)
    square, linear, constant = np.polyfit(few, [size_of(config(each)) for each in few], 2)
    found = np.roots([square, linear, constant - parameters]).real.max()
    below = max(int(found), 1)
    return min(config(below), config(below + 1), key=lambda each: abs(size_of(each) - parameters))


def size_of(config: NetworkConfig) -> int:
    """How many parameters its network has."""
    return sum(each.numel() for each in RecurrentClassifier(config).parameters())
