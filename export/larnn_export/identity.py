"""Whether a run is the one that is meant: its two configurations, and what it began with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from larnn_export.checkpoint import CheckpointError
from larnn_export.families import configure

Record = dict[str, Any]


def require_same(run: Path, record: Record, wanted: Record) -> None:
    """Raises CheckpointError, which names what differs in a run's record from the wanted one."""
    require_configurations(run, record, wanted)
    mine, other = (each.get("started_from") for each in (record, wanted))
    if mine != other:
        raise CheckpointError(f"{run} began with {_weights(mine)}, not with {_weights(other)}")


def require_configurations(run: Path, record: Record, wanted: Record) -> None:
    """Raises CheckpointError where a field of the network or of the training differs."""
    for key in ("network", "training"):
        mine, other = (_of_family(each[key]) for each in (record, wanted))
        differing = [
            f"{name}={json.dumps(mine.get(name))}, not {json.dumps(other.get(name))}"
            for name in {**mine, **other}
            if mine.get(name) != other.get(name)
        ]
        if differing:
            text = "; ".join(differing)
            raise CheckpointError(f"{run} has another {key} configuration: {text}")


def _of_family(configuration: Record) -> Record:
    """A network's without the fields of other families, which earlier records hold."""
    if "family" not in configuration:
        return configuration
    return configure(configuration).model_dump(mode="json")


def _weights(digest: str | None) -> str:
    return f"the weights {digest[:12]} (--start)" if digest else "weights of its own"
