"""docs/where-it-wins.md: its tasks are those that there are, and its commands are taken."""

from __future__ import annotations

import re
import shlex

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from larnn_export.__main__ import app
from larnn_export.memory_study.command import task_named
from larnn_export.memory_study.protocol import Protocol
from larnn_export.memory_tasks import TASKS
from larnn_export.training_command import configured
from tests.docs import page

TEXT = page.read("where-it-wins.md")
COMMANDS = re.findall(r"^python -m export ([^#\n]+)", TEXT, re.MULTILINE)


def test_every_task_is_told() -> None:
    assert re.findall(r"^\| `([\w-]+)` \|", TEXT, re.MULTILINE) == [*TASKS]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_taken(command: str) -> None:
    """With its values: sizes of a task, fields of the protocol, names of networks."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    name, *words = shlex.split(command)
    given = group.commands[name].make_context(name, words).params
    task_named(given.get("task", "recall"), given.get("size") or [])
    configured(Protocol(), given.get("protocol") or [])


def test_the_sizes_and_fields_in_the_text_exist() -> None:
    told = re.findall(r"`-([ps]) (\w+=\d+)`", TEXT)
    assert told
    for option, value in told:
        if option == "s":
            task_named("recall", [value])
        else:
            configured(Protocol(), [value])
