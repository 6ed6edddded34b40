"""Which fields of NetworkConfig shape a network of which family."""

from __future__ import annotations

from typing import Any

from larnn_export.networks import NetworkConfig
from larnn_export.networks.config import Family

OF_ALL = (
    "family",
    "channels",
    "vocabulary",
    "classes",
    "hidden_size",
    "layers",
    "dropout",
    "fine_scale",
)
OF_FAMILY: dict[Family, tuple[str, ...]] = {
    "larnn": (
        "normalisation",
        "window_size",
        "heads",
        "mode",
        "positional_encoding",
        "activate_keys_values",
        "zero_attention",
        "longest_memory",
        "coupled_gates",
    ),
    "lstm": ("longest_memory",),
    "bn-lstm": ("longest_memory",),
    "gru": ("longest_memory",),
    "rra": ("window_size", "longest_memory"),
    "mann": ("heads", "memory_slots", "memory_width", "longest_memory"),
    "attention": ("window_size", "heads"),
}
"""What a family has a use for beside the fields of all."""


def used_fields(config: NetworkConfig) -> dict[str, Any]:
    """The fields that the family has a use for; a size of 0 is off and left out."""
    fields = {name: getattr(config, name) for name in (*OF_ALL, *OF_FAMILY[config.family])}
    return {name: value for name, value in fields.items() if value is False or value != 0}
