"""How a network is trained: one frozen configuration, kept in every checkpoint."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field

FOLDS = 5


def folds(subjects: Iterable[int]) -> list[tuple[int, ...]]:
    """Who is held out together: every fifth person in order, from the first, the second, …"""
    people = sorted(set(subjects))
    return [tuple(people[first::FOLDS]) for first in range(FOLDS)]


class TrainConfig(BaseModel):
    """Optimisation and regularisation, chosen on folds of the training subjects."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(0, ge=0)
    epochs: int = Field(32, ge=1)
    batch_size: int = Field(64, ge=1)
    held_out: tuple[int, ...] = ()
    """Training subjects that are measured instead of trained on."""

    learning_rate: float = Field(6e-3, gt=0)
    """The peak of a one-cycle schedule: linear rise, cosine fall to zero."""
    warmup: float = Field(0.15, ge=0, lt=1)
    """The part of all updates that the rise takes."""
    weight_decay: float = Field(1e-2, ge=0)
    clip_norm: float = Field(0.25, gt=0)
    ema_decay: float = Field(0.995, ge=0, lt=1)
    """Of the moving average of the weights, which is what is measured and saved."""

    balanced: bool = False
    """Whether each class counts as much as any other in the loss, however few windows it has."""
    label_smoothing: float = Field(0.05, ge=0, lt=1)
    loss_from_step: int = Field(32, ge=0)
    """The loss averages over the steps from here on: a stream is asked at any step."""
    last_step_weight: float = Field(0.0, ge=0, le=1)
    """How much of the loss is the last step's alone."""

    streams: int = Field(0, ge=0)
    """Rows beside each batch that are streams of whole HAPT recordings, their state carried on."""
    stream_restart: float = Field(0.05, gt=0, le=1)
    """The chance that a stream ends with a chunk and another begins."""

    rotation_degrees: float = Field(20.0, ge=0, le=180)
    """Spread of the random rotation of the sensor frame, one for a row's three sensors."""
    far_rotation: float = Field(0.0, ge=0, le=1)
    """How many rows are turned by any angle at all: these are told by their motion alone."""
    scaling: float = Field(0.05, ge=0)
    """Spread of a row's common random factor."""
    jitter: float = Field(0.05, ge=0)
    """Spread of noise on each value, in standard deviations of its channel."""

    threads: int = Field(1, ge=1)

    def short_ema_decay(self, windows: int) -> float:
        """`ema_decay`, but in a training of few updates so that the average reaches over a tenth
        of them: else it would still hold the weights of the start."""
        updates = self.epochs * max(windows // self.batch_size, 1)
        return self.ema_decay if updates >= 1000 else min(self.ema_decay, max(1 - 10 / updates, 0))
