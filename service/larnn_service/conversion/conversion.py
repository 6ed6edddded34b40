"""What somebody says of the numbers that they have, and the linear map to those a model takes.

A client's sensor may measure in other units than the model's channels are in, and sit another way
round. `units` and `axes` say so in short texts, the same at every endpoint, in descriptions of data
and on the command line (docs/protocol.md, Units and axes). They are a map of a step's numbers: each
channel is one of the numbers sent, with a sign, in a unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from larnn_service.conversion.axes import axes_of, told_axes
from larnn_service.conversion.names import ConversionError as ConversionError
from larnn_service.conversion.names import Names
from larnn_service.conversion.unit_texts import told_units, units_of
from larnn_service.inputs import Input
from larnn_service.outputs import Floats

LONGEST = 2**14
"""Characters of either text: more than an address has."""


class Measured(NamedTuple):
    """How a client's numbers differ from those that a model takes; empty where they do not.

    Both are written in one way only, so that what says the same is the same.
    """

    units: str = ""
    axes: str = ""


AS_THE_MODEL = Measured()


@dataclass(frozen=True, eq=False)
class Conversion:
    """Channel i of a step is `factors[i]` · number `sources[i]` of what is sent + `offsets[i]`."""

    measured: Measured
    sources: NDArray[np.intp]
    """[width], a permutation."""
    factors: NDArray[np.float64]
    """[width], the axes' signs among them."""
    offsets: NDArray[np.float64]
    """[width], in the units of the model's channels."""

    def __call__(self, steps: NDArray[Any]) -> Floats:
        """[…, width] as it was sent → […, width] as the model takes it, rounded once."""
        with np.errstate(over="ignore"):  # whoever decodes refuses what is not finite
            changed = steps[..., self.sources] * self.factors + self.offsets
            return changed.astype(np.float32)


def conversion(step: Input, who: str, units: str = "", axes: str = "") -> Conversion | None:
    """The map that these texts say, for the model `who` whose steps are such; None where it would
    change nothing.

    Raises ConversionError, with what may be said, where a unit is not known or of another
    dimension, a channel is none of the model's, or the axes are no signed permutation.
    """
    if not units and not axes:
        return None
    _check_length(units, axes)
    names = Names(step, who)
    sources, signs = axes_of(axes, names)
    found = units_of(units, names)
    measured = Measured(told_units(found, names), told_axes(sources, signs, names))
    if measured == AS_THE_MODEL:
        return None
    _check_length(*measured)
    factors, offsets = np.ones(step.width), np.zeros(step.width)
    for index, one in enumerate(found):
        if one is not None:
            own = names.unit(index)
            assert own is not None  # else another unit would have been refused
            factors[index] = one.factor / own.factor
            offsets[index] = (one.offset - own.offset) / own.factor
    return Conversion(measured, sources, signs * factors, offsets)


def _check_length(units: str, axes: str) -> None:
    """Raises ConversionError where a text is too long: as it came, or as it is told."""
    if max(len(units), len(axes)) > LONGEST:
        raise ConversionError(f"units and axes have at most {LONGEST} characters each")
