"""What a person says about a file: the options of `larnn import`, or a model.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from larnn_export.importing.problems import ImportFailed
from larnn_export.reasons import field_errors
from larnn_service.contract import MAX_VERSION, ModelName
from larnn_service.outputs import Channel, Task

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Axis = Count | Literal["b", "t"]
"""A size; or b, rows that run together; or t, steps of time."""


REQUIRED = "required"


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(Part):
    """[input]: what one step holds, and which inputs of the file take it."""

    names: tuple[str, ...] = ()
    """Inputs of the file, side by side in a step; found by their names where there are none."""
    frame: Count | None = None
    """New samples a step, where the input takes a piece of a signal."""
    overlap: int = Field(0, ge=0)
    """Samples before them that the input takes again, with zeros at the start."""
    tokens: int | None = Field(None, ge=2, le=2**24)
    """How many there are, where a step is one of them."""
    channels: tuple[Channel, ...] = ()
    unit: str = "1"
    """Of channels without names."""
    int16_scale: Positive | None = 1 / 32768
    """What a frame's samples are multiplied by where they come as int16."""


class Answer(Part):
    """[[outputs]]: an output of the file that is given for each step."""

    name: str
    """In the file."""
    task: Task = "raw"
    labels: tuple[str, ...] = ()
    values: tuple[Channel, ...] = ()


class Options(Part):
    """Everything that can be said; what is not said is proposed."""

    name: ModelName
    version: int = Field(1, ge=1, le=MAX_VERSION)
    description: str = ""
    sample_rate_hz: Positive | None = None
    """Steps a second; of a frame, samples a second."""
    input: Step = Step()
    state: dict[str, str] = Field(default_factory=dict)
    """Which output of the file is the next value of which input."""
    initial: dict[str, float | str] = Field(default_factory=dict)
    """Before the first step: the value of every element, or an .npy file."""
    once: dict[str, float | str] = Field(default_factory=dict)
    """Inputs that are given once, when a stream opens: a default, an .npy file, or REQUIRED."""
    constants: dict[str, int | float | bool] = Field(default_factory=dict)
    shapes: dict[str, tuple[Axis, ...]] = Field(default_factory=dict)
    """Of inputs of the file, where it does not say."""
    outputs: tuple[Answer, ...] = ()
    rows: Literal["together", "alone"] | None = None
    steps: Literal["whole", "one"] | None = None
    """Whether the file gets a row's steps at once."""
    tolerance: Positive | None = None
    """Of the difference between file and model, relative to max(1, |value|)."""
    data_terms: str = ""

    def told(self) -> dict[str, Any]:
        """What was said, for the manifest: of a file, its name alone."""
        said = self.model_dump(mode="json", exclude_defaults=True)
        _each_file(said, lambda file: Path(file.name))
        return said


def read_options(file: Path | None, given: dict[str, Any]) -> Options:
    """Those of a model.toml, whose files lie beside it, with `given` in their place. Raises
    ImportFailed."""
    said: dict[str, Any] = {}
    if file is not None:
        try:
            said = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ImportFailed([f"{file}: {error}"]) from error
        _each_file(said, file.parent.joinpath)
    for key, value in given.items():
        here = said.get(key)
        said[key] = {**here, **value} if isinstance(here, dict) else value
    try:
        return Options.model_validate(said)
    except ValidationError as error:
        raise ImportFailed([f"{file or 'options'}, {field_errors(error)}"]) from error


def _each_file(said: dict[str, Any], change: Callable[[Path], Path]) -> None:
    """Put another path where a tensor begins with an .npy file."""
    for key in ("initial", "once"):
        if isinstance(table := said.get(key), dict):
            for name, value in table.items():
                if isinstance(value, str) and value != REQUIRED:
                    table[name] = str(change(Path(value)))
