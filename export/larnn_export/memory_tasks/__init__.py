"""Tasks that ask for memory: each a generator of episodes, with its floor and its ceiling."""

from __future__ import annotations

from larnn_export.memory_tasks.adding import AddingAsked
from larnn_export.memory_tasks.copying import SelectiveCopying
from larnn_export.memory_tasks.endless import EndlessStreams
from larnn_export.memory_tasks.gestures import Gestures
from larnn_export.memory_tasks.induction import Induction
from larnn_export.memory_tasks.last_event import LastEvent
from larnn_export.memory_tasks.machines import Machines
from larnn_export.memory_tasks.recall import AssociativeRecall
from larnn_export.memory_tasks.task import Episodes, MemoryTask, within_reach

TASKS: dict[str, type[MemoryTask]] = {
    "recall": AssociativeRecall,
    "copying": SelectiveCopying,
    "induction": Induction,
    "last-event": LastEvent,
    "adding": AddingAsked,
    "machines": Machines,
    "gestures": Gestures,
}
"""By name; their fields are their sizes."""

__all__ = ["TASKS", "EndlessStreams", "Episodes", "MemoryTask", "within_reach"]
