"""How a network is trained: one frozen configuration, kept in every checkpoint."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from export.networks import NetworkConfig

VALIDATION_SUBJECTS = (5, 14, 21, 27)
"""Every fifth of the 21 training subjects in their order, fixed before any training."""


class TrainConfig(BaseModel):
    """Optimisation, regularisation and selection."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(0, ge=0)
    epochs: int = Field(16, ge=1)
    batch_size: int = Field(64, ge=1)
    validation_subjects: Annotated[tuple[int, ...], Field(min_length=1)] = VALIDATION_SUBJECTS
    """Training subjects held out whole; the epoch is chosen on them."""

    learning_rate: float = Field(3e-3, gt=0)
    """The peak of a one-cycle schedule: linear rise, cosine fall to zero."""
    warmup: float = Field(0.15, ge=0, lt=1)
    """The part of all updates that the rise takes."""
    weight_decay: float = Field(1e-2, ge=0)
    clip_norm: float = Field(1.0, gt=0)
    ema_decay: float = Field(0.995, ge=0, lt=1)
    """Validation, selection and the saved weights use this moving average."""

    label_smoothing: float = Field(0.05, ge=0, lt=1)
    loss_from_step: int = Field(32, ge=0)
    """The loss averages over the steps from here on: a stream is asked at any step."""
    last_step_weight: float = Field(0.5, ge=0, le=1)
    """How much of the loss is the last step's alone."""

    rotation_degrees: float = Field(10.0, ge=0, le=180)
    """Spread of the random rotation of the sensor frame, one for a window's three sensors."""
    scaling: float = Field(0.05, ge=0)
    """Spread of a window's common random factor."""
    jitter: float = Field(0.05, ge=0)
    """Spread of noise on each value, in standard deviations of its channel."""

    threads: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _subjects_are_distinct(self) -> Self:
        if len(set(self.validation_subjects)) != len(self.validation_subjects):
            raise ValueError(f"validation_subjects repeat: {self.validation_subjects}")
        return self


NETWORKS = {
    "larnn": NetworkConfig(family="larnn", hidden_size=64, layers=2, window_size=16, dropout=0.2),
    "lstm": NetworkConfig(family="lstm", hidden_size=64, layers=2, dropout=0.2),
    "lstm-wide": NetworkConfig(family="lstm", hidden_size=94, layers=2, dropout=0.2),
}
"""The published network, the LSTM of its hidden size, the LSTM of its parameter count."""
