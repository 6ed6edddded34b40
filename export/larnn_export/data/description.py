"""dataset.toml or dataset.json: what the columns of somebody's own tables mean."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from larnn_export.data.errors import DataError

FILES = ("dataset.toml", "dataset.json")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ChannelColumn(_Strict):
    """An input channel, and the column that holds it."""

    name: str = Field(min_length=1)
    unit: str
    column: str = ""
    """The channel's name, unless given."""


class Window(_Strict):
    """How recordings are cut, in steps."""

    steps: int = Field(ge=1)
    hop: int | None = Field(None, ge=1)
    """From the start of a window to the next one's; half a window, unless given."""


class Description(_Strict):
    """All that the tables do not say themselves."""

    title: str = ""
    about: str = ""
    terms: str = ""
    """On which terms the data is given away."""
    sample_rate_hz: float = Field(gt=0, allow_inf_nan=False)
    label: str = "label"
    """Column of what a step shows."""
    subject: str = "subject"
    """Column of whose step it is."""
    recording: tuple[str, ...] = ()
    """Further columns where a change starts a new recording; a new file always does."""
    labels: tuple[str, ...] = ()
    """In the order of the logits; all that occur, sorted, unless given."""
    test_subjects: tuple[str, ...] = Field(min_length=1)
    """People who are measured once, and chose and taught nothing."""
    channels: tuple[ChannelColumn, ...] = Field(min_length=1)
    window: Window

    @property
    def columns(self) -> list[str]:
        return [channel.column or channel.name for channel in self.channels]

    @property
    def hop(self) -> int:
        return self.window.hop or max(self.window.steps // 2, 1)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for field, names in (
            ("channels", [channel.name for channel in self.channels]),
            ("labels", list(self.labels)),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"{field}: names must be unique, got {', '.join(names)}")
        return self


def description_file(path: Path) -> Path | None:
    """The description that a folder holds, or that the path itself is; None where there is none."""
    if path.name in FILES and path.is_file():
        return path
    return next((path / name for name in FILES if (path / name).is_file()), None)


def read_description(file: Path) -> Description:
    """Raises DataError with the file and the field."""
    try:
        text = file.read_text(encoding="utf-8")
        fields = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
        return Description.model_validate(fields)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise DataError(f"{file}: {_problems(error)}; see docs/own-data.md") from error
    except ValueError as error:
        raise DataError(f"{file} cannot be read: {error}") from error


def _problems(error: ValidationError) -> str:
    found = error.errors(include_url=False)
    return "; ".join(
        ": ".join(filter(None, (".".join(map(str, one["loc"])), one["msg"]))) for one in found
    )
