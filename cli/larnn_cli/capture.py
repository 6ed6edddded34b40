"""`larnn capture`: what an operator does with captured files. The service may run meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from larnn_service.engine.capture.folder import NAME, Folder
from larnn_service.stream_ids import StreamIds
from larnn_service.telemetry.tags import tag

app = typer.Typer(no_args_is_help=True)


@app.callback()
def capture() -> None:
    """Work on the folder of LARNN_CAPTURE."""


@app.command()
def forget(
    folder: Annotated[Path, typer.Argument(help="that of LARNN_CAPTURE", exists=True)],
    streams: Annotated[
        list[str], typer.Argument(help="ids, or names as the column `stream` and the log have them")
    ],
) -> None:
    """Delete all that was captured of streams; those that live are captured no more."""
    names = dict.fromkeys(map(_name, streams))
    count = sum(Folder(folder).forget(name) for name in names)
    typer.echo(f"{count} file{'' if count == 1 else 's'} deleted")


def _name(stream: str) -> str:
    if NAME.fullmatch(stream):
        return stream
    if not StreamIds("").is_possible(stream):
        raise typer.BadParameter("a stream's id has 48 or 64 hexadecimal digits, its name 12")
    return tag(stream)
