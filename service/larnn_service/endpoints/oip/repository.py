"""The protocol's model repository: which versions there are, and loading and unloading them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from larnn_service.admission.authorization import Operators
from larnn_service.endpoints.oip.schemas import IndexEntry
from larnn_service.engine.engine import Engine
from larnn_service.engine.models.lifecycle import VersionState
from larnn_service.errors import BadMessage, quoted

_STATES: dict[str, Any] = {
    "serving": ("READY", ""),
    "retired": ("UNLOADING", "it goes on for its open streams"),
    "available": ("UNAVAILABLE", "it is not loaded"),
    "refused": ("UNAVAILABLE", "the last try to load it failed; the log has the reason"),
}


class ModelRepository:
    """What an operator may do here, and what anyone may know."""

    def __init__(self, engine: Engine, operators: Operators) -> None:
        self._engine = engine
        self._operators = operators

    async def index(self, ready: bool) -> list[IndexEntry]:
        """Every version in the folder and every one that runs; `ready`: those that serve."""
        entries = map(_entry, await self._engine.control.index())
        return [entry for entry in entries if entry.state == "READY" or not ready]

    def check(self, owner: str) -> None:
        """Raises Forbidden unless this caller may load and unload: asked before a body is read."""
        self._operators.check(owner)

    async def load(self, name: str, parameters: Mapping[str, Any]) -> None:
        """The newest version of the folder answers from now on. Raises as `ModelControl.load`."""
        if parameters:
            raise BadMessage(
                f"parameter {quoted(min(parameters))}: a model is loaded as its folder has it, "
                "with no other configuration or file; publish a version"
            )
        await self._engine.control.load(name)

    async def unload(self, name: str) -> None:
        """Let all of its versions take no new work. Raises UnknownModel."""
        await self._engine.control.unload(name)


def _entry(version: VersionState) -> IndexEntry:
    state, reason = _STATES[version.state]
    return IndexEntry(version.name, str(version.version), state, reason)
