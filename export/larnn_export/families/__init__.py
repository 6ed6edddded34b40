"""The registry of families. Everything that asks which family a network is of reads it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from larnn_export.families.config import NetworkConfig
from larnn_export.families.family import Family

FAMILIES: dict[str, Family[Any, Any]] = {}
"""By name, in the order in which they were registered."""


def register(module: str) -> Family[Any, Any]:
    """Add the record FAMILY of a module, by the module's name for `import`.

    Raises ValueError where another module's family has the same name.
    """
    family: Family[Any, Any] = import_module(module).FAMILY
    if FAMILIES.setdefault(family.name, family) is not family:
        raise ValueError(f"{module}: a family {family.name!r} is registered already")
    return family


def configure(fields: Mapping[str, Any]) -> NetworkConfig:
    """The configuration of the family that `fields` names; it takes the fields that it has.

    A field that shapes other families alone is left out, as in records that hold those of all.
    Raises ValueError for an unknown family, a field of none, and a value that does not fit.
    """
    name = fields.get("family")
    if name not in FAMILIES:
        raise ValueError(f"family {name!r} is not one of {', '.join(FAMILIES)}")
    of_others = set().union(*(family.own_fields for family in FAMILIES.values()))
    left_out = of_others - FAMILIES[name].own_fields
    kept = {key: value for key, value in fields.items() if key not in left_out}
    return type(FAMILIES[name].preset).model_validate(kept)


register("larnn_export.families.larnn")
register("larnn_export.families.larnn_twin")
register("larnn_export.families.lstm")
register("larnn_export.families.bn_lstm")
register("larnn_export.families.gru")
register("larnn_export.families.rra")
register("larnn_export.families.mann")
register("larnn_export.families.self_attention")
register("larnn_export.families.min_gru")

__all__ = ["FAMILIES", "Family", "NetworkConfig", "configure", "register"]
