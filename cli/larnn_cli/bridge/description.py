"""The description of a bridge, a TOML: which topics, which model, and what a payload holds."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from larnn_export.data import DataError


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Payload(_Strict):
    """How the steps of one message are written."""

    format: Literal["json", "csv", "binary"] = "json"
    steps: str = ""
    """JSON: the field that holds the steps, `a.b` for one in another; the whole, unless given."""
    channels: tuple[str, ...] = ()
    """The fields of a step, or the columns of a line, in the model's order. A JSON step is then an
    object, and a CSV begins with a line of names. Without them numbers are in that order."""
    dtype: Literal["float32", "float64", "int16", "int32"] = "float32"
    """Binary: of each number, step after step."""
    byte_order: Literal["little", "big"] = "little"
    skip: int = Field(0, ge=0)
    """Binary: bytes before the numbers."""
    sequence: str = ""
    """JSON: a field with a number that grows from message to message of one key: what comes again
    with one that was seen is dropped."""

    @model_validator(mode="after")
    def _belongs_to_the_format(self) -> Payload:
        alone = {"json": ("steps", "sequence", "channels"), "csv": ("channels",)}
        alone |= {"binary": ("dtype", "byte_order", "skip")}
        for name in self.model_fields_set - {"format"}:
            if name not in alone[self.format]:
                raise ValueError(f"{name} is not of the format {self.format}")
        return self


class Bridge(_Strict):
    """What one bridge does."""

    topic: str = Field(min_length=1)
    """Where the steps come from: a topic of Kafka, a filter of MQTT."""
    answers: str = Field(min_length=1)
    """Where the answers go: a topic; of MQTT one with `{topic}` for the message's own."""
    model: str | None = None
    """The service's default, unless given."""
    payload: Payload = Payload()
    outputs: tuple[str, ...] = ()
    """Further outputs of the model to give."""
    logits: bool = False
    max_waiting: int = Field(1000, ge=1)
    """Messages of one partition that may be on their way; beyond it the broker keeps them."""
    max_streams: int = Field(1000, ge=1)
    """Keys with a connection to the service at a time; beyond it they take turns."""
    idle: float = Field(60.0, gt=0)
    """Seconds without a message after which a key's connection is closed; its stream lives on."""


def read(path: Path) -> Bridge:
    """Raises DataError with the file and the field."""
    try:
        return Bridge.model_validate(tomllib.loads(path.read_text()))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the description"
        raise DataError(f"{path}: {field}: {first['msg']}") from error
