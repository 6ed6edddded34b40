"""Every command of `larnn` in one place."""

from __future__ import annotations

from typing import Annotated

import typer

from larnn_cli.borrowed import borrow
from larnn_cli.classify import classify
from larnn_cli.failures import EXIT_CODES
from larnn_cli.models import models
from larnn_cli.serve import serve
from larnn_cli.stream import stream
from larnn_service import __version__

ASK, MAKE, MEASURE = "Serve and ask", "Make a model", "Measure"

app = typer.Typer(
    name="larnn",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Serve a recurrent network that remembers, ask it, make another. Begin with: larnn serve",
    epilog=EXIT_CODES,
)


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"larnn {__version__}")
        raise typer.Exit


@app.callback()
def larnn(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="say it, and end"),
    ] = False,
) -> None:
    """Nothing: what is asked for is a command's."""


app.command(
    rich_help_panel=ASK,
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)(serve)
app.command(rich_help_panel=ASK)(models)
app.command(rich_help_panel=ASK)(classify)
app.command(rich_help_panel=ASK)(stream)
BRIDGE = "From a broker's topics (MQTT, Kafka) through streams, and the answers back."
borrow(app, "bridge", "larnn_cli.bridge.command", None, BRIDGE, ASK)
SCORE = "Run recordings in Parquet, here or on S3, and write the answers to Parquet."
borrow(app, "score", "larnn_cli.score.command", None, SCORE, ASK)
CAPTURE = "Forget a stream in the folder of what a service has captured."
borrow(app, "capture", "larnn_cli.capture", None, CAPTURE, ASK)

EXPORT = "larnn_export.__main__"
for name, command, text in (
    ("train", "train", "Train a network: on UCI HAR, or on your own CSV or Parquet tables."),
    ("folds", "folds", "Train five times, each with a fifth of the people held out."),
    ("evaluate", "evaluate", "Measure a trained network on the people of the test set."),
    ("export", "onnx", "Write a trained network as an ONNX graph."),
    ("verify", "verify", "Compare a graph with the network that it was written from."),
    ("publish", "publish", "Put a trained network into models/, from where it is served."),
):
    borrow(app, name, EXPORT, command, text, MAKE)
IMPORTING = "larnn_export.importing.command"
borrow(app, "import", IMPORTING, "import", "Make a model of an ONNX file that you have.", MAKE)
borrow(app, "bench", "benchmarks.__main__", None, "Measure speed on this machine.", MEASURE)
