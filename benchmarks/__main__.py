"""python -m benchmarks NAME: measure something, print a table, write JSON."""

from __future__ import annotations

import typer

from benchmarks import classify, page, serve, stream
from benchmarks.peers import install

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.command()(classify.classify)
app.command()(install.install)
app.command()(page.page)
app.command()(serve.serve)
app.command()(stream.stream)


@app.callback()
def benchmarks() -> None:
    """Each command compares side by side, in the same run, on this machine."""


if __name__ == "__main__":
    app()
