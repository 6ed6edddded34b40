"""python -m benchmarks NAME: measure something, print a table, write JSON."""

from __future__ import annotations

import typer

from benchmarks import (
    checkpoints,
    classify,
    crowd,
    graph,
    imported,
    kill,
    loop,
    memories,
    page,
    reload,
    scaling,
    serve,
    soak,
    sound,
    stream,
    telemetry,
    ticks,
    training,
    trees,
)
from benchmarks.peers import install

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for command in (
    classify.classify,
    graph.graph,
    ticks.ticks,
    scaling.scaling,
    checkpoints.checkpoints,
    imported.imported,
    install.install,
    kill.kill,
    loop.loop,
    memories.memories,
    crowd.crowd,
    page.page,
    reload.reload,
    serve.serve,
    stream.stream,
    soak.soak,
    sound.sound,
    telemetry.telemetry,
    training.training,
    trees.trees,
):
    app.command()(command)


@app.callback()
def benchmarks() -> None:
    """Each command compares side by side, in the same run, on this machine."""


if __name__ == "__main__":
    app()
