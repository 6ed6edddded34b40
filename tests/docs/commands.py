"""The measuring commands that pages name."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

NAMED = re.compile(
    r"^(?:\w+=\w+ )?python -m (benchmarks|tests\.faults\.\w+) ([^#\n]+?) *(?:#.*)?$", re.MULTILINE
)
"""Package and arguments of each line that runs one."""


def parse(package: str, arguments: str) -> None:
    """Let the package's command read its arguments. Raises click.UsageError."""
    module, words = import_module(f"{package}.__main__"), shlex.split(arguments)
    if package == "benchmarks":
        group = get_command(module.app)
        assert isinstance(group, TyperGroup)
        command: Any = group.commands[words.pop(0)]
    else:
        app = typer.Typer()
        app.command()(module.main)
        command = get_command(app)
    command.make_context(package, words)
