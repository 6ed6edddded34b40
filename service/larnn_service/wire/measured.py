"""What a client says of its numbers, `units`, `axes` and `sample_rate_hz`, and steps made so.

It is read where a stream opens or a request comes, and applied where bytes have become steps:
nothing behind the decoders knows of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from larnn_service.conversion.conversion import Conversion, ConversionError, conversion
from larnn_service.errors import BadMessage, Conflict, quoted
from larnn_service.interfaces import Model, Steps
from larnn_service.wire.arrays import checked
from larnn_service.wire.number_texts import number

_SAME_RATE = 0.01
"""By how much, relatively, sensors of the same rate differ."""


class Said(NamedTuple):
    """As it came; what a client does not say is as the model takes it."""

    units: str = ""
    axes: str = ""
    sample_rate_hz: float | None = None

    @property
    def anything(self) -> bool:
        """Whether there is something to compare or to convert."""
        return bool(self.units or self.axes or self.sample_rate_hz is not None)


def said_in(query: Mapping[str, str]) -> Said:
    """What an address says. Raises BadMessage."""
    hertz, text = None, query.get("sample_rate_hz")
    if text is not None and (hertz := number(text)) is None:
        raise BadMessage("in the address: sample_rate_hz is a number")
    return Said(query.get("units", ""), query.get("axes", ""), hertz)


def check_unsaid(
    query: Mapping[str, str], instead: str, names: Iterable[str] = Said._fields
) -> None:
    """Raises BadMessage where an address says what is not read there: any of the names."""
    for name in names:
        if name in query:
            raise BadMessage(f"in the address: {name} is not read here; {instead}")


def conversion_of(model: Model, said: Said) -> Conversion | None:
    """What makes the client's numbers those of the model; None where they are.

    Raises BadMessage where units or axes cannot be, and where the rate is another one: steps are
    converted here, never made.
    """
    if not said.anything:
        return None
    contract, who = model.manifest.contract, model.manifest.name
    if said.sample_rate_hz is not None:
        _check_rate(model, said.sample_rate_hz)
    if contract.vocabulary is not None and (said.units or said.axes):
        raise BadMessage(f"{who} takes tokens, which have no units and no axes")
    try:
        return conversion(contract.input, who, said.units, said.axes)
    except ConversionError as error:
        raise BadMessage(quoted_lines(error)) from None


def quoted_lines(error: ConversionError) -> str:
    """Its text, as can be encoded."""
    return str(error).encode("utf-8", "replace").decode()


def check_kept(model: Model, said: Said, kept: Conversion | None) -> None:
    """Raises Conflict where a client says otherwise of a stream than when it was opened; who says
    nothing goes on as it began. Raises as `conversion_of`."""
    if not said.anything:
        return
    if kept is not None and (said.units, said.axes) == kept.measured:
        said = said._replace(units="", axes="")
    found = conversion_of(model, said)
    if (said.units or said.axes) and _text(found) != _text(kept):
        raise Conflict(
            f"the stream was opened with {quoted(_text(kept))}, and stays with it; this is "
            f"{quoted(_text(found))}: say the same or nothing, or open a new stream"
        )


def _text(found: Conversion | None) -> str:
    if found is None:
        return "units and axes of the model"
    said = {"units": found.measured.units, "axes": found.measured.axes}
    return ", ".join(f"{name} {text}" for name, text in said.items() if text)


def converted(steps: Steps, wanted: Conversion | None, model: Model, place: str) -> Steps:
    """Steps […, width] as the model takes them.

    Raises BadValue with the index of what is too large in the model's unit.
    """
    return steps if wanted is None else checked(wanted(steps), model, place)


def _check_rate(model: Model, hertz: float) -> None:
    contract, who = model.manifest.contract, model.manifest.name
    rate, frame = contract.sample_rate_hz, contract.input.frame
    what = "steps"
    if frame is not None:
        what = "samples"
        rate = frame.sample_rate_hz or (rate and rate * frame.samples)
    if rate is None:
        raise BadMessage(f"sample_rate_hz: {who} has no rate; leave it out")
    if not math.isclose(hertz, rate, rel_tol=_SAME_RATE):
        raise BadMessage(
            f"sample_rate_hz: {who} takes {rate:g} {what} a second, not {hertz:g}; put them onto "
            f"its rate before they are sent, with larnn_client.Resampler({rate:g})"
        )
