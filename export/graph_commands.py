"""`python -m export onnx | verify | publish`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import onnx
import typer
from rich.console import Console

from export import checkpoint
from export.data import DataError
from export.graph import build_graph
from export.placing import PublishError
from export.publish import CHECKPOINT_FOLDER, GRAPH_FILE, contract_of
from export.publish import publish as publish_run
from export.triton_config import write_triton_config
from export.verify import ParityError, scale_of
from export.verify import verify as verify_graph

PUBLISHED = Path("models/larnn-har/1")
Run = Annotated[Path, typer.Argument(help="a finished run, such as runs/larnn-har-s0")]
ERRORS = (ValueError, DataError, checkpoint.CheckpointError, PublishError, ParityError)


def write_onnx(
    run: Run = PUBLISHED / CHECKPOINT_FOLDER,
    output: Annotated[Path, typer.Option(help="the file to write")] = PUBLISHED / GRAPH_FILE,
) -> None:
    """Write a run's graph alone, verified; by default the bundled model's, from its checkpoint."""
    try:
        network = checkpoint.load_network(run)
        _, record = checkpoint.read(run, checkpoint.FINISHED)
        model = build_graph(network, contract_of(network, checkpoint.data_info(record)))
        parity = verify_graph(network, model, scale=scale_of(record))
    except ERRORS as error:
        raise typer.BadParameter(str(error)) from error
    output.write_bytes(model.SerializeToString(deterministic=True))
    Console().print(f"{output}: {len(model.graph.node)} nodes, logits within {parity.logits:.0e}")


def verify(run: Run, graph: Annotated[Path, typer.Argument(help="an ONNX file")]) -> None:
    """Compare a graph with the network of a run, chunk by chunk."""
    try:
        _, record = checkpoint.read(run, checkpoint.FINISHED)
        network, model = checkpoint.load_network(run), onnx.load(graph)
        parity = verify_graph(network, model, scale=scale_of(record))
    except ERRORS as error:
        raise typer.BadParameter(str(error)) from error
    Console().print(
        f"over {parity.steps} carried steps: logits within {parity.logits:.0e}, "
        f"state within {parity.state:.0e}"
    )


def triton(
    versions: Annotated[list[Path], typer.Argument(help="published, such as models/larnn-har/1")],
) -> None:
    """Write a published version's config.pbtxt, with which NVIDIA Triton runs the same folder."""
    for version in versions:
        try:
            Console().print(f"{write_triton_config(version)}")
        except (OSError, ValueError) as error:
            raise typer.BadParameter(f"{version}: {error}") from error


def publish(
    run: Run,
    folds: Annotated[
        Path | None, typer.Option(help="the folds that chose its recipe, for the card")
    ] = None,
    name: Annotated[str, typer.Option()] = "larnn-har",
    version: Annotated[int, typer.Option(min=1)] = 1,
    models: Annotated[Path, typer.Option(help="the repository of exported models")] = Path(
        "models"
    ),
    replace: Annotated[bool, typer.Option(help="put it in place of that version")] = False,
) -> None:
    """Verify a run's graph and write models/NAME/VERSION/ with manifest, checksum and card."""
    try:
        target = publish_run(run, name, version, models, folds, replace)
    except ERRORS as error:
        raise typer.BadParameter(str(error)) from error
    Console().print(f"published {target}")
