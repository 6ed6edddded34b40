"""What the numbers of files are: `--units`, `--axes`, `--sample-rate`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from larnn_cli.recordings import Reader
from larnn_export.data import DataError

if TYPE_CHECKING:
    from larnn_client import Measured, Model
    from larnn_export.data.description import Description

T = TypeVar("T")
Units = Annotated[
    str,
    typer.Option(
        help="in which the numbers are: m/s²,deg/s of all such channels, or acc_x=mg of one",
        show_default="the model's",
    ),
]
Axes = Annotated[
    str,
    typer.Option(
        help="as which they are: -x-y-z of each NAME_x, NAME_y, NAME_z, or acc=yx-z of one",
        show_default="the model's",
    ),
]
SampleRate = Annotated[
    float | None,
    typer.Option(help="in Hz: refused where the model has another", show_default="not compared"),
]


def measured(
    said: tuple[str, str, float | None], files: Iterable[Path], reader: Reader, model: Model
) -> Measured:
    """What the options say of units, axes and rate; where they do not, what a dataset.toml says of
    the units and the rate of its channels; the numbers of a file without one are in the model's
    units. Raises DataError where two say different things."""
    from larnn_client import Measured

    units, axes, rate = said
    found = [reader.description(file) for file in files]
    if not units:
        in_them = {"" if each is None else _units(each, model) for each in found}
        units = _one_of(in_them, "units", "")
    if rate is None and model.sample_rate_hz is not None:
        rates: set[float | None] = {each.sample_rate_hz for each in found if each is not None}
        rate = _one_of(rates, "rates", None)
    return Measured(units, axes, rate)


def _units(description: Description, model: Model) -> str:
    """Of the channels that are in others than the model's."""
    return ",".join(
        f"{channel.name}={channel.unit}"
        for channel in description.channels
        if channel.unit not in ("", model.channels[channel.name])
    )


def _one_of(said: set[T], what: str, default: T) -> T:
    if len(said) > 1:
        raise DataError(f"the files' {what} differ: ask for them one after the other")
    return next(iter(said), default)
