"""Commands of other parts, imported when they are asked for: `larnn --help` needs no torch."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command


def borrowed(module: str, command: str | None = None) -> type[TyperCommand]:
    """A stand-in for `command` of the Typer app in `module`, or for the app itself."""

    class Borrowed(TyperCommand):
        def make_context(self, *args: Any, **kwargs: Any) -> Any:
            """The context of the command that it stands for: parsing, help and completion too."""
            return _find(module, command).make_context(*args, **kwargs)

    return Borrowed


def _find(module: str, command: str | None) -> Any:
    group = get_command(import_module(module).app)
    if command is None:
        return group
    assert isinstance(group, TyperGroup)
    return group.commands[command]


def borrow(
    app: typer.Typer, name: str, module: str, command: str | None, text: str, panel: str
) -> None:
    """Add a borrowed command to `app`; `text` is its line in the list of commands."""
    kind = borrowed(module, command)
    register = app.command(name, cls=kind, help=text, rich_help_panel=panel)
    register(lambda: None)
