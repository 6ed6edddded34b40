"""Whom a run was trained on, and who is unknown to it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from larnn_export.checkpoint import CheckpointError
from larnn_export.data.hapt import TEST_SUBJECTS


class OfPerson(Protocol):
    """What was recorded of one person."""

    @property
    def subject(self) -> int: ...


Person = TypeVar("Person", bound=OfPerson)


def known_to(record: dict[str, Any], people: Iterable[int]) -> set[int]:
    """Those of UCI HAR's people whom a run was trained on. A record that does not say whom is of
    the data set's own division."""
    held_out = {*record["training"]["held_out"]}
    return {*people} & {*record.get("trained_on", {*people} - {*TEST_SUBJECTS} - held_out)}


def unknown_to(run: Path, record: dict[str, Any], recordings: list[Person]) -> list[Person]:
    """The recordings to measure a run on: of those held out of it, else of all whom it was not
    trained on. CheckpointError where the run knows everybody."""
    everybody = {each.subject for each in recordings}
    people = {*record["training"]["held_out"]} or everybody - known_to(record, everybody)
    mine = [each for each in recordings if each.subject in people]
    if not mine:
        raise CheckpointError(f"{run} was trained on everybody who was recorded")
    return mine
