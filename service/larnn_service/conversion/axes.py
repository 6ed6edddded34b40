"""`axes`: which of the numbers sent each channel is, and with which sign.

The text has items between commas. `-yxz` says of every triple NAME_x, NAME_y, NAME_z of the model
that its x is minus the sent y, its y the sent x, its z the sent z; `acc=-yxz` says it of one
triple, `acc_x=-acc_y` of one channel. The numbers that are sent are called as the model's channels
are, in the same order.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from larnn_service.conversion.names import AXES, ConversionError, Names

_TRIPLE = re.compile(r"([+-]?)([xyz])([+-]?)([xyz])([+-]?)([xyz])")
Permutation = NDArray[np.intp]
Signs = NDArray[np.float64]


def axes_of(text: str, names: Names) -> tuple[Permutation, Signs]:
    """The place of each channel among the numbers sent [width], and its sign [width].

    Raises ConversionError.
    """
    sources, signs = np.arange(len(names.channels)), np.ones(len(names.channels))
    items = [item.strip() for item in text.split(",")] if text.strip() else []
    if items and names.step.frame is not None:
        raise ConversionError(f"axes: the steps of {names.who} are samples, which have no axes")
    if sum("=" not in item for item in items) > 1:
        raise ConversionError("axes: one item for all triples, or TRIPLE=… and CHANNEL=… for each")
    special = []
    for item in items:
        name, _, value = (part.strip() for part in item.rpartition("="))
        if name:
            special.append((name, value))
            continue
        if not names.triples:
            raise ConversionError(
                f"axes: {names.who} has no channels NAME_x, NAME_y, NAME_z; say "
                f"CHANNEL=-CHANNEL of {names.listed}"
            )
        for triple in names.triples:
            _turn(triple, value, sources, signs)
    for places, value in names.each_of(special, "axes"):
        if len(places) > 1:
            _turn(places, value, sources, signs)
        else:
            source = value[1:].lstrip() if value[:1] in ("+", "-") else value
            sources[places[0]] = _channel(source, names)
            signs[places[0]] = -1 if value.startswith("-") else 1
    _check_permutation(sources, names)
    return sources, signs


def _turn(triple: tuple[int, ...], text: str, sources: Permutation, signs: Signs) -> None:
    text = text.replace(" ", "")
    match = _TRIPLE.fullmatch(text)
    if match is None or {*match.groups()[1::2]} != {*AXES}:
        raise ConversionError(
            f"axes: {text[:32]!r} is no signed permutation; write each of x, y and z once, with a "
            "minus before what is turned round, such as -x-yz or yx-z"
        )
    for place, sign, axis in zip(triple, match.groups()[::2], match.groups()[1::2], strict=True):
        sources[place], signs[place] = triple[AXES.index(axis)], -1 if sign == "-" else 1


def _channel(name: str, names: Names) -> int:
    places = names.of(name, "axes")
    if len(places) > 1:
        raise ConversionError(f"axes: {name[:32]!r} is a triple; name one of its channels")
    return places[0]


def _check_permutation(sources: Permutation, names: Names) -> None:
    """Raises ConversionError where a number sent would be two channels, and another none."""
    counts = np.bincount(sources, minlength=len(sources))
    if (counts != 1).any():
        twice, never = int(counts.argmax()), int(counts.argmin())
        raise ConversionError(
            f"axes: no signed permutation: the sent {names.channels[twice]} would be "
            f"{counts[twice]} channels, the sent {names.channels[never]} none; say of each channel "
            "which other one it is"
        )


def told_axes(sources: Permutation, signs: Signs, names: Names) -> str:
    """The one text for this map; empty where it changes nothing."""
    moved = (sources != np.arange(len(sources))) | (signs < 0)
    items = []
    for name, triple in names.named.items():
        places = list(triple)
        if moved[places].any() and {*sources[places]} == {*triple}:
            axes = (AXES[triple.index(source)] for source in sources[places])
            each = zip(signs[places], axes, strict=True)
            items.append(f"{name}=" + "".join(("-" if s < 0 else "") + axis for s, axis in each))
            moved[places] = False
    for place in np.flatnonzero(moved):
        one, other = (names.told(int(each), "axes") for each in (place, sources[place]))
        items.append(f"{one}={'-' if signs[place] < 0 else ''}{other}")
    return ",".join(items)
