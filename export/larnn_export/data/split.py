"""Windows of people, and what their numbers mean: what training takes, whatever the data set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from larnn_service.contract import Channel


class DataInfo(BaseModel):
    """What goes from the data into the checkpoint, the manifest and the card."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    """Completes "LARNN for …"."""
    channels: tuple[Channel, ...]
    labels: tuple[str, ...] = Field(min_length=2)
    sample_rate_hz: float
    subjects: tuple[str, ...] = ()
    """Names of the subjects 1, 2, …, where they have names."""
    about: str
    """Where the data comes from."""
    terms: str = ""
    """On which terms it is given away, as its source says them."""
    limits: str
    """What the data cannot teach."""

    def subject_name(self, subject: int) -> str:
        return self.subjects[subject - 1] if self.subjects else str(subject)


@dataclass(frozen=True)
class Split:
    """Windows in the order of the files."""

    info: DataInfo
    signals: NDArray[np.float32]  # [windows, steps, channels] in the units of info.channels
    labels: NDArray[np.int64]  # [windows], an index into info.labels
    subjects: NDArray[np.int64]  # [windows], from 1

    def __len__(self) -> int:
        return len(self.labels)

    def of_subjects(self, subjects: tuple[int, ...]) -> Split:
        """The windows of these people alone."""
        return self.where(np.isin(self.subjects, subjects))

    def without_subjects(self, subjects: tuple[int, ...]) -> Split:
        """The windows of everybody else."""
        return self.where(~np.isin(self.subjects, subjects))

    def where(self, mask: NDArray[np.bool_]) -> Split:
        """The windows that a mask [windows] names."""
        return Split(self.info, self.signals[mask], self.labels[mask], self.subjects[mask])
