"""docs/performance.md shows what the result files hold, and its commands exist."""

from __future__ import annotations

import re
import shlex

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from benchmarks import page
from benchmarks.__main__ import app

TEXT = page.PAGE.read_text()
COMMANDS = re.findall(r"^python -m benchmarks ([^#\n]+?) *(?:#.*)?$", TEXT, re.MULTILINE)


def test_the_tables_are_those_of_the_results() -> None:
    assert page.filled(TEXT) == TEXT, "python -m benchmarks page"


def test_every_picture_exists() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", TEXT)
    assert pictures
    for picture in pictures:
        assert (page.PAGE.parent / picture).is_file(), picture


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_exists(command: str) -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    name, *rest = shlex.split(command)
    group.commands[name].make_context(name, rest)
