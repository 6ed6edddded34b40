"""`python -m export`: train, evaluate, export, verify and publish a network."""

from __future__ import annotations

import typer

from larnn_export.cross_command import cross
from larnn_export.evaluation_command import compare, evaluate
from larnn_export.gather import gather
from larnn_export.graph_commands import card, manifest, publish, triton, verify, write_onnx
from larnn_export.memory_study.command import attention, reach, tasks
from larnn_export.novelty.command import novelty
from larnn_export.questions_command import questions
from larnn_export.robustness_command import robustness
from larnn_export.search_command import search, table
from larnn_export.stream_command import streams
from larnn_export.tasks.commands import adding, imdb, mnist
from larnn_export.tasks.publish import publish_text
from larnn_export.training_command import folds, train

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
app.command()(train)
app.command()(folds)
app.command()(evaluate)
app.command()(compare)
app.command()(questions)
app.command()(cross)
app.command()(streams)
app.command()(tasks)
app.command()(reach)
app.command()(attention)
app.command()(novelty)
app.command()(robustness)
app.command()(search)
app.command()(table)
app.command()(gather)
app.command("onnx")(write_onnx)
app.command()(verify)
app.command()(publish)
app.command()(card)
app.command()(triton)
app.command()(manifest)
app.command("publish-text")(publish_text)
for race in (adding, mnist, imdb):
    app.command()(race)


def main() -> None:
    """Run the command that the process's arguments name."""
    app()


if __name__ == "__main__":
    main()
