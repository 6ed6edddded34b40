"""`units`: in which unit each channel is sent.

The text has items between commas. `m/s²` alone says it of every channel of that dimension,
`acc=m/s²` of the triple acc_x, acc_y, acc_z, `acc_x=m/s²` of one channel; what is more special
counts, wherever it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from larnn_service.conversion.names import ConversionError, Names
from larnn_service.conversion.units import Unit, of_dimension, unit

Found = list[Unit | None]
"""Of each channel; None where it is sent as the model takes it."""


def units_of(text: str, names: Names) -> Found:
    """The unit in which each channel is sent. Raises ConversionError."""
    items = [item.strip().rpartition("=") for item in text.split(",")] if text.strip() else []
    found: Found = [None] * len(names.channels)
    special = [(name.strip(), value) for name, _, value in items if name]
    everywhere = range(len(names.channels))
    dimensions: dict[str, str] = {}
    for value in (value for name, _, value in items if not name):
        said = _known(value, names, everywhere)
        if (other := dimensions.get(said.dimension)) is not None:
            raise ConversionError(
                f"units: {other} and {said.name} are both units of {said.dimension}; say one, or "
                "CHANNEL=UNIT of each"
            )
        dimensions[said.dimension] = said.name
        places = [place for place in everywhere if _dimension(names, place) == said.dimension]
        if not places:
            raise ConversionError(
                f"units: {said.name} is a unit of {said.dimension}, and no channel of {names.who} "
                f"is: they are in {_own(names)}"
            )
        for place in places:
            found[place] = said
    for named, value in names.each_of(special, "units"):
        for place in named:
            found[place] = _fitting(value, names, place)
    return [
        None if said is not None and said == names.unit(place) else said
        for place, said in enumerate(found)
    ]


def _fitting(text: str, names: Names, place: int) -> Unit | None:
    if text.strip() == names.unit_text(place):
        return None
    own, channel = names.unit(place), names.channels[place]
    if own is None:
        raise ConversionError(
            f"units: {channel} of {names.who} is in {names.unit_text(place)!r}, into which no "
            "other unit is converted"
        )
    said = _known(text, names, (place,))
    if said.dimension != own.dimension:
        raise ConversionError(
            f"units: {said.name} is a unit of {said.dimension}; {channel} of {names.who} takes "
            f"{own.dimension}: {', '.join(of_dimension(own.dimension))}"
        )
    return said


def _known(text: str, names: Names, places: Iterable[int]) -> Unit:
    if (said := unit(text)) is not None:
        return said
    dimensions = dict.fromkeys(_dimension(names, place) for place in places)
    allowed = [name for dimension in dimensions if dimension for name in of_dimension(dimension)]
    raise ConversionError(
        f"units: {text.strip()[:32]!r} is no unit that is known; "
        f"{names.who} takes {', '.join(allowed) or _own(names)}"
    )


def _dimension(names: Names, place: int) -> str:
    own = names.unit(place)
    return "" if own is None else own.dimension


def _own(names: Names) -> str:
    return ", ".join(dict.fromkeys(map(names.unit_text, range(len(names.channels)))))


def told_units(found: Sequence[Unit | None], names: Names) -> str:
    """The one text for these; empty where all are the model's own."""
    items, left = [], {place: said for place, said in enumerate(found) if said is not None}
    for dimension in dict.fromkeys(said.dimension for said in left.values()):
        places = [p for p in range(len(found)) if _dimension(names, p) == dimension]
        sent = {(left.get(place) or names.unit(place)) for place in places}
        if len(sent) == 1:
            items += [said.name for said in sent if said is not None]
            left = {p: said for p, said in left.items() if said.dimension != dimension}
    items += [f"{names.told(place, 'units')}={said.name}" for place, said in left.items()]
    return ",".join(items)
