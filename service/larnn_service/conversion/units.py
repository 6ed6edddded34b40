"""Physical units by name, and how each is converted into the others of its dimension.

A unit's factor and offset say what one of it is in the dimension's first unit:
`value · factor + offset`. They are exact where the unit is defined exactly (SI brochure, 9th
edition; standard gravity: 3rd CGPM, 1901; inch, pound: 1959), up to the rounding of a float64.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

STANDARD_GRAVITY = 9.80665
"""In m/s²."""
_TABLE: dict[str, dict[str, float | tuple[float, float]]] = {
    "acceleration": {
        "m/s²": 1,
        "cm/s²": 1e-2,
        "g": STANDARD_GRAVITY,
        "mg": STANDARD_GRAVITY / 1000,
        "ft/s²": 0.3048,
    },
    "angular velocity": {
        "rad/s": 1,
        "mrad/s": 1e-3,
        "deg/s": math.pi / 180,
        "mdeg/s": math.pi / 180_000,
        "rpm": math.pi / 30,
    },
    "angle": {"rad": 1, "mrad": 1e-3, "deg": math.pi / 180, "turn": math.tau},
    "magnetic flux density": {"T": 1, "mT": 1e-3, "µT": 1e-6, "nT": 1e-9, "G": 1e-4, "mG": 1e-7},
    "length": {"m": 1, "km": 1e3, "cm": 1e-2, "mm": 1e-3, "µm": 1e-6, "ft": 0.3048, "in": 0.0254},
    "speed": {"m/s": 1, "mm/s": 1e-3, "km/h": 1 / 3.6, "mph": 0.44704, "kn": 1852 / 3600},
    "temperature": {"K": 1, "°C": (1, 273.15), "°F": (5 / 9, 459.67 * 5 / 9)},
    "pressure": {
        "Pa": 1,
        "hPa": 1e2,
        "kPa": 1e3,
        "MPa": 1e6,
        "mbar": 1e2,
        "bar": 1e5,
        "atm": 101_325,
        "psi": 4.4482216152605 / 0.0254**2,
    },
    "force": {"N": 1, "mN": 1e-3, "kN": 1e3, "lbf": 4.4482216152605},
    "voltage": {"V": 1, "mV": 1e-3, "µV": 1e-6, "kV": 1e3},
    "current": {"A": 1, "mA": 1e-3, "µA": 1e-6},
    "power": {"W": 1, "mW": 1e-3, "kW": 1e3},
    "frequency": {"Hz": 1, "kHz": 1e3, "1/min": 1 / 60},
    "time": {"s": 1, "ms": 1e-3, "µs": 1e-6, "min": 60, "h": 3600},
    "ratio": {"1": 1, "%": 1e-2, "‰": 1e-3},
}
_SPELLINGS = {"°": "deg", "dps": "deg/s", "bpm": "1/min", "degC": "°C", "degF": "°F"}
"""Further ones that programs write."""
_LONGEST = 32
"""Characters of a unit in any spelling: longer texts are not remembered."""


class Unit(NamedTuple):
    """One of it is `factor` of its dimension's first unit, and zero of it is `offset` of those."""

    name: str
    dimension: str
    factor: float
    offset: float = 0.0


def _unit(name: str, dimension: str, size: float | tuple[float, float]) -> Unit:
    return Unit(name, dimension, *size) if isinstance(size, tuple) else Unit(name, dimension, size)


UNITS: Mapping[str, Unit] = MappingProxyType(
    {
        name: _unit(name, dimension, size)
        for dimension, units in _TABLE.items()
        for name, size in units.items()
    }
)
"""All that are known, by name."""


def unit(text: str) -> Unit | None:
    """The unit that a text names, in any usual spelling; None where it names none of them."""
    return None if len(text) > _LONGEST else _unit_of(text)


@lru_cache(maxsize=1024)
def _unit_of(text: str) -> Unit | None:
    name = text.strip().replace("\N{GREEK SMALL LETTER MU}", "µ")
    name = name.replace("^2", "²").replace("s2", "s²").replace("°/", "deg/")
    name = _SPELLINGS.get(name, name)
    if name.startswith("u") and f"µ{name[1:]}" in UNITS:
        name = f"µ{name[1:]}"
    return UNITS.get(name)


def of_dimension(dimension: str) -> list[str]:
    """The names of its units."""
    return list(_TABLE[dimension])
