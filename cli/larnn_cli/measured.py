"""What the numbers of files are: `--units`, `--axes`, `--sample-rate`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from larnn_cli.recordings import Reader
from larnn_export.data import DataError

if TYPE_CHECKING:
    from larnn_client import Measured, Model

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
    the units and the rate of its channels. Raises DataError where two say different things."""
    from larnn_client import Measured

    units, axes, rate = said
    found = [reader.description(file) for file in files]
    described = {
        (
            ",".join(
                f"{channel.name}={channel.unit}"
                for channel in description.channels
                if channel.unit not in ("", model.channels[channel.name])
            ),
            description.sample_rate_hz,
        )
        for description in found
        if description is not None
    }
    if len(described) > 1 and not (units and rate):
        raise DataError("the files' units or rates differ: ask for them one after the other")
    for its_units, its_rate in described:
        units = units or its_units
        rate = rate if rate is not None or model.sample_rate_hz is None else its_rate
    return Measured(units, axes, rate)
