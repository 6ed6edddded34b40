"""The settings of capture: what is kept of streams, to be labelled and trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class CaptureSettings(BaseSettings):
    """A part of `Settings`."""

    model_config = SettingsConfigDict(use_attribute_docstrings=True)

    capture: Path | None = None
    """Folder for what streams sent and were answered, as Parquet; none: nothing is kept."""
    capture_share: float = Field(1.0, gt=0, le=1)
    """Share of the streams that are captured, each whole."""
    capture_owners: str = ""
    """Names of keys whose streams are captured, as NAME,…; all, unless given."""
    capture_days: float = Field(30.0, gt=0)
    """Days after which a captured file is deleted."""
    capture_bytes: int = Field(10 * 2**30, ge=1)
    """Bytes of all captured files; beyond it the oldest are deleted."""
    capture_interval: float = Field(300.0, gt=0)
    """How long captured steps may wait for their file: a kill loses so many at most."""
    capture_waiting_bytes: int = Field(256 * 2**20, ge=1)
    """Bytes of captured steps that may wait for their file; beyond it chunks are not captured."""

    @field_validator("capture", mode="before")
    @classmethod
    def _a_folder_has_a_name(cls, folder: object) -> object:
        """Empty it is none, as where a chart or a file of variables leaves it so."""
        return folder or None

    @model_validator(mode="after")
    def _there_is_a_folder(self) -> Self:
        given = {name for name in self.model_fields_set if name.startswith("capture_")}
        if given and self.capture is None:
            raise ValueError(f"{min(given)} says how to capture: name the folder, LARNN_CAPTURE")
        return self
