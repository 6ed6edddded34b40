"""`python -m export onnx | verify | card | triton | manifest | publish`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import onnx
import typer
from rich.console import Console

from larnn_export import checkpoint
from larnn_export.data import DataError
from larnn_export.manifests import GRAPH_FILE, read_manifest, write_manifest
from larnn_export.model_card import write_card
from larnn_export.placing import CHECKPOINT_FOLDER, PublishError
from larnn_export.publish import Served, served
from larnn_export.publish import publish as publish_run
from larnn_export.triton_config import write_triton_config
from larnn_export.verify import ParityError

PUBLISHED = Path("models/larnn-har/1")
Run = Annotated[Path, typer.Argument(help="a finished run, such as runs/larnn-har-s0")]
Versions = Annotated[list[Path], typer.Argument(help="published, such as models/larnn-har/1")]
Raw = Annotated[bool, typer.Option(help="it takes a phone's six raw channels")]
ERRORS = (ValueError, DataError, checkpoint.CheckpointError, PublishError, ParityError)


def write_onnx(
    run: Run = PUBLISHED / CHECKPOINT_FOLDER,
    output: Annotated[
        Path | None, typer.Option(help="the file to write; of a published run, its version's")
    ] = None,
    raw: Raw = False,
) -> None:
    """Write a run's graph alone, verified; by default the bundled model's, from its checkpoint."""
    try:
        mine = served(run, raw)
        output = output or _graph_beside(run, mine)
        model = mine.graph()
        parity = mine.verify(model)
    except ERRORS as error:
        raise typer.BadParameter(str(error)) from error
    output.write_bytes(model.SerializeToString(deterministic=True))
    Console().print(f"{output}: {len(model.graph.node)} nodes, logits within {parity.logits:.0e}")


def _graph_beside(run: Path, mine: Served) -> Path:
    """The graph that a published version's checkpoint belongs to, where the network is its own."""
    if run.name != CHECKPOINT_FOLDER:
        raise ValueError(f"{run} is not the {CHECKPOINT_FOLDER}/ of a version: name an --output")
    version = run.parent
    if read_manifest(version).contract != mine.contract:
        raise ValueError(f"{version} has another contract: give or leave out --raw, or an --output")
    return version / GRAPH_FILE


def verify(
    run: Run, graph: Annotated[Path, typer.Argument(help="an ONNX file")], raw: Raw = False
) -> None:
    """Compare a graph with the network of a run, chunk by chunk."""
    try:
        parity = served(run, raw).verify(onnx.load(graph))
    except ERRORS as error:
        raise typer.BadParameter(str(error)) from error
    Console().print(
        f"over {parity.steps} carried steps: logits within {parity.logits:.0e}, "
        f"state within {parity.state:.0e}"
    )


def card(versions: Versions) -> None:
    """Write a published version's card anew, from what lies in its folder."""
    _of_each(versions, lambda version: write_card(version, version.parent.parent))


def triton(versions: Versions) -> None:
    """Write a published version's config.pbtxt, with which NVIDIA Triton runs the same folder."""
    _of_each(versions, write_triton_config)


def manifest(versions: Versions) -> None:
    """Write a published version's manifest in the newest format; its graph stays as it is."""
    _of_each(versions, write_manifest)


def _of_each(versions: list[Path], write: Callable[[Path], Path]) -> None:
    for version in versions:
        try:
            Console().print(f"{write(version)}")
        except (OSError, ValueError) as error:
            raise typer.BadParameter(f"{version}: {error}") from error


def publish(
    run: Run,
    folds: Annotated[
        Path | None, typer.Option(help="folds of the same recipe, for the card")
    ] = None,
    name: Annotated[str, typer.Option()] = "larnn-har",
    raw: Raw = False,
    version: Annotated[int, typer.Option(min=1)] = 1,
    models: Annotated[Path, typer.Option(help="the repository of exported models")] = Path(
        "models"
    ),
    replace: Annotated[bool, typer.Option(help="put it in place of that version")] = False,
) -> None:
    """Verify a run's graph and write models/NAME/VERSION/ with manifest, checksum and card."""
    try:
        target = publish_run(run, name, version, models, folds, replace, raw)
    except ERRORS as error:
        raise typer.BadParameter(str(error)) from error
    Console().print(f"published {target}")
