"""python -m benchmarks NAME: measure a speed, print a table, write JSON."""

from __future__ import annotations

import typer

from benchmarks import (
    capture,
    checkpoints,
    classify,
    graph,
    imported,
    lines,
    loop,
    memories,
    memory,
    novelty,
    page,
    scaling,
    score,
    serve,
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
    capture.capture,
    classify.classify,
    graph.graph,
    ticks.ticks,
    scaling.scaling,
    score.score,
    checkpoints.checkpoints,
    imported.imported,
    install.install,
    lines.lines,
    loop.loop,
    memories.memories,
    memory.memory,
    novelty.novelty,
    page.page,
    serve.serve,
    stream.stream,
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
