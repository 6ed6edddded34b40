"""`python -m export onnx | verify | publish | readout`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import onnx
import typer
from rich.console import Console

from export import checkpoint
from export.data.uci_har import DataError, load_split
from export.graph import build_graph
from export.publish import CHECKPOINT_FOLDER, GRAPH_FILE, PublishError, contract_of
from export.publish import publish as publish_run
from export.readout import fit_readout
from export.recipe import NETWORKS
from export.training_command import configured
from export.verify import ParityError
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
        model = build_graph(network, contract_of(network))
        parity = verify_graph(network, model)
    except ERRORS as error:
        raise typer.BadParameter(str(error)) from error
    output.write_bytes(model.SerializeToString(deterministic=True))
    Console().print(f"{output}: {len(model.graph.node)} nodes, logits within {parity.logits:.0e}")


def verify(run: Run, graph: Annotated[Path, typer.Argument(help="an ONNX file")]) -> None:
    """Compare a graph with the network of a run, chunk by chunk."""
    try:
        parity = verify_graph(checkpoint.load_network(run), onnx.load(graph))
    except ERRORS as error:
        raise typer.BadParameter(str(error)) from error
    Console().print(
        f"over {parity.steps} carried steps: logits within {parity.logits:.0e}, "
        f"state within {parity.state:.0e}"
    )


def publish(
    run: Run,
    name: Annotated[str, typer.Option()] = "larnn-har",
    version: Annotated[int, typer.Option(min=1)] = 1,
    models: Annotated[Path, typer.Option(help="the repository of exported models")] = Path(
        "models"
    ),
    replace: Annotated[bool, typer.Option(help="put it in place of that version")] = False,
) -> None:
    """Verify a run's graph and write models/NAME/VERSION/ with manifest, checksum and card."""
    try:
        target = publish_run(run, name, version, models, replace)
    except ERRORS as error:
        raise typer.BadParameter(str(error)) from error
    Console().print(f"published {target}")


def readout(
    run: Annotated[Path, typer.Argument(help="where the checkpoint goes")],
    preset: Annotated[str, typer.Option(help=f"one of: {', '.join(NETWORKS)}")] = "larnn",
    network: Annotated[
        list[str] | None, typer.Option("--network", "-n", help="a network field, name=value")
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    data: Annotated[Path | None, typer.Option(help="folder that holds uci-har")] = None,
) -> None:
    """Fit the output layer alone, the memory as initialised: the floor that training must beat."""
    try:
        if preset not in NETWORKS:
            raise ValueError(f"preset {preset!r} is not one of {', '.join(NETWORKS)}")
        config = configured(NETWORKS[preset], network or [])
        accuracy = fit_readout(config, seed, load_split("train", data), run)
    except ERRORS as error:
        raise typer.BadParameter(str(error)) from error
    Console().print(f"{run}: {accuracy:.2%} on the held-out training subjects")
