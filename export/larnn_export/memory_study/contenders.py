"""Who is compared: each a network's fields. One change at a time leads from one LARNN to another.

`larnn-old` is the published recipe: coupled gates, long memories, attention that starts at zero,
eight heads. `larnn` is the form that solved recall in a trial before this study. The names between
say what differs.
"""

from __future__ import annotations

from typing import Any

Fields = dict[str, Any]
LONG = 128
"""Steps: the longest memory that the published gates start with."""
STARTS = (0, LONG)
"""Of the gates, that tuning tries where a contender states none: short memories, or long ones."""

_NEW: Fields = {
    "family": "larnn",
    "normalisation": "none",
    "heads": 1,
    "window_size": 32,
    "coupled_gates": False,
    "zero_attention": False,
}
_OLD: Fields = {
    **_NEW,
    "heads": 8,
    "coupled_gates": True,
    "longest_memory": LONG,
    "zero_attention": True,
}

CONTENDERS: dict[str, Fields] = {
    "larnn": _NEW,
    "larnn-old": _OLD,
    "larnn-old-uncoupled": {**_OLD, "coupled_gates": False},
    "larnn-old-short": {**_OLD, "longest_memory": 0},
    "larnn-old-nonzero": {**_OLD, "zero_attention": False},
    "larnn-old-one-head": {**_OLD, "heads": 1},
    "larnn-k1": {**_NEW, "window_size": 1},
    "lstm": {"family": "lstm"},
    "gru": {"family": "gru"},
    "larnn-coupled": {**_NEW, "coupled_gates": True},
    "larnn-long": {**_NEW, "longest_memory": LONG},
    "larnn-zero": {**_NEW, "zero_attention": True},
    "larnn-four-heads": {**_NEW, "heads": 4},
    "larnn-twin": {"family": "larnn-twin"},
    "min-gru": {"family": "min-gru"},
    "attention": {"family": "attention", "heads": 4, "window_size": 32},
    "mann": {"family": "mann", "layers": 1, "heads": 2, "memory_slots": 32},
    "rra": {"family": "rra", "window_size": 32},
}
