"""`larnn import FILE.onnx`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from larnn_export.importing.importer import Imported, import_graph
from larnn_export.importing.options import REQUIRED, read_options
from larnn_export.importing.original import Original
from larnn_export.importing.pairing import describe
from larnn_export.importing.problems import ImportFailed
from larnn_export.importing.proposal import propose as write_proposal
from larnn_export.importing.said import (
    axes,
    default,
    names,
    number,
    number_or_file,
    pairs,
    with_units,
    without_none,
)

app = typer.Typer(pretty_exceptions_enable=False, help=__doc__)


@app.callback()
def _group() -> None:
    """A group, so that its one command has a name."""


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="an ONNX file, as its author gave it")],
    name: Annotated[str | None, typer.Option(help="of the model, such as voice")] = None,
    version: Annotated[int | None, typer.Option(min=1)] = None,
    models: Annotated[Path, typer.Option(help="the repository of models")] = Path("models"),
    config: Annotated[Path | None, typer.Option(help="a model.toml with these options")] = None,
    input: Annotated[
        list[str] | None, typer.Option(help="an input that takes a part of each step; repeatable")
    ] = None,
    frame: Annotated[
        int | None, typer.Option(min=1, help="new samples a step, of a signal")
    ] = None,
    overlap: Annotated[
        int | None, typer.Option(min=0, help="samples before them that it takes again")
    ] = None,
    tokens: Annotated[
        int | None, typer.Option(min=2, help="how many there are, where a step is one of them")
    ] = None,
    channels: Annotated[
        str | None, typer.Option(help="names between commas, each with its unit in brackets or not")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="of the numbers of a step")] = None,
    int16_scale: Annotated[
        float | None, typer.Option(help="of a frame's samples as int16; 1/32768 unless given")
    ] = None,
    sample_rate: Annotated[
        float | None, typer.Option(help="steps a second; with --frame, samples a second")
    ] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(metavar="INPUT=OUTPUT", help="whose next value an output is; repeatable"),
    ] = None,
    initial: Annotated[
        list[str] | None,
        typer.Option(metavar="INPUT=NUMBER", help="before the first step; or an .npy file"),
    ] = None,
    set: Annotated[
        list[str] | None, typer.Option(metavar="INPUT=NUMBER", help="an input that never changes")
    ] = None,
    once: Annotated[
        list[str] | None,
        typer.Option(
            metavar="INPUT[=DEFAULT]", help="an input that is given once, when a stream opens"
        ),
    ] = None,
    shape: Annotated[
        list[str] | None,
        typer.Option(metavar="INPUT=b,t,40", help="of an input: b is rows, t is steps"),
    ] = None,
    output: Annotated[
        list[str] | None, typer.Option(help="what is given, the answer first; repeatable")
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="of the answer: classes, tags, probability, values, raw")
    ] = None,
    labels: Annotated[str | None, typer.Option(help="of the answer, between commas")] = None,
    values: Annotated[
        str | None, typer.Option(help="of the answer, between commas, each with its [unit] or not")
    ] = None,
    rows: Annotated[str | None, typer.Option(help="together or alone")] = None,
    steps: Annotated[
        str | None, typer.Option(help="whole: a row's at once; one: one by one")
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(help="of the difference between file and model")
    ] = None,
    samples: Annotated[
        Path | None, typer.Option(help="real input to compare on: .npy, or 16-bit .wav")
    ] = None,
    description: Annotated[str | None, typer.Option(help="one line")] = None,
    data_terms: Annotated[str | None, typer.Option(help="of what it learned from")] = None,
    replace: Annotated[bool, typer.Option(help="put it in place of that version")] = False,
    propose: Annotated[
        bool, typer.Option(help="write a model.toml of what is found, and import nothing")
    ] = False,
) -> None:
    """Make a version of any recurrent ONNX file, equal to it and ready to be served."""
    step = {
        "names": input,
        "frame": frame,
        "overlap": overlap,
        "tokens": tokens,
        "channels": with_units(channels, unit or "1"),
        "unit": unit,
        "int16_scale": int16_scale,
    }
    given = {
        "name": name or (None if config else file.stem.lower().replace("_", "-")),
        "version": version,
        "description": description,
        "sample_rate_hz": sample_rate,
        "input": without_none(step),
        "state": pairs("state", state, str),
        "initial": pairs("initial", initial, number_or_file),
        "once": pairs("once", [o if "=" in o else f"{o}={REQUIRED}" for o in once or ()], default),
        "constants": pairs("set", set, number),
        "shapes": pairs("shape", shape, axes),
        "rows": rows,
        "steps": steps,
        "tolerance": tolerance,
        "data_terms": data_terms,
    }
    outputs = _outputs(output, task, labels, values)
    options = read_options(config, without_none({**given, "outputs": outputs}))
    if propose:
        typer.echo(write_proposal(Original(file), options), nl=False)
        return
    imported = import_graph(file, options, models, samples=samples, replace=replace)
    for line in _told(imported):
        typer.echo(line)


def _outputs(
    output: list[str] | None, task: str | None, labels: str | None, values: str | None
) -> list[dict[str, Any]]:
    """The first has the task; what is given beside it is raw."""
    said = without_none({"task": task, "labels": names(labels), "values": with_units(values)})
    if said and not output:
        raise ImportFailed(["--task, --labels and --values are an output's: name it by --output"])
    found: list[dict[str, Any]] = [{"name": each} for each in output or ()]
    if found:
        found[0] |= said
    return found


def _told(imported: Imported) -> list[str]:
    """What was made, and what was guessed."""
    plan, difference = imported.plan, imported.difference
    lines = [f"{fed.name} [{', '.join(map(str, fed.axes))}]" for fed in plan.fed]
    lines.append(f"a step is {plan.contract.input.width} numbers")
    lines += describe(imported.paired.state, imported.paired.found_by)
    if plan.given[0].output.task == "raw":
        name = shlex.quote(plan.given[0].name)
        lines.append(
            f"{name} is given as it is; what it means is said by --output {name} --task, which is "
            "classes, tags or probability with --labels, or values with --values"
        )
    lines.append(
        f"rows {plan.layout.rows}, steps {plan.layout.steps}: over {difference.steps} steps of "
        f"{difference.source} the outputs differ from the file's by {difference.largest:.1e}, the "
        f"state by {difference.state:.1e}"
    )
    return [*lines, f"published {imported.folder}"]
