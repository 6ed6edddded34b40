"""`python -m export gather`: what evaluated runs came to, in one small file to be committed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from larnn_export import checkpoint
from larnn_export.evaluate import EVALUATION_FILE

OUTPUT = Path("benchmarks/results/memories_har.json")


def gather(
    runs: Annotated[list[Path], typer.Argument(help="evaluated runs on UCI HAR")],
    output: Annotated[Path, typer.Option(help="the file to write")] = OUTPUT,
) -> None:
    """Write each run's name, family, seed and test accuracy, for the table of docs/memories.md."""
    try:
        results = [_result(run) for run in runs]
    except (OSError, ValueError, checkpoint.CheckpointError) as error:
        raise typer.BadParameter(str(error)) from error
    results.sort(key=lambda result: (result["family"], result["seed"]))
    lines = ",\n".join(json.dumps(result) for result in results)
    output.write_text(f"[\n{lines}\n]\n")
    Console().print(f"{len(results)} runs → {output}")


def _result(run: Path) -> dict[str, Any]:
    _, record = checkpoint.read(run, checkpoint.FINISHED)
    evaluation = json.loads((run / EVALUATION_FILE).read_text())
    return {
        "run": run.name,
        "family": record["network"]["family"],
        "hidden_size": record["network"]["hidden_size"],
        "seed": record["training"]["seed"],
        "epochs": record["training"]["epochs"],
        "windows": evaluation["windows"],
        "correct": evaluation["correct"],
        "accuracy": evaluation["accuracy"],
    }
