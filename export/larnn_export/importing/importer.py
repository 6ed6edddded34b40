"""From a file to a version: read, paired, laid out, put in loops, compared, published."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path

import onnx

from larnn_export.importing.build import build_model
from larnn_export.importing.card import write_import_card
from larnn_export.importing.look import Look, look
from larnn_export.importing.options import Options
from larnn_export.importing.original import Original
from larnn_export.importing.pairing import Pairing
from larnn_export.importing.plan import Plan, make_plan
from larnn_export.importing.prepared import Prepared, has_layers, prepare
from larnn_export.importing.problems import ImportFailed
from larnn_export.importing.samples import read_steps
from larnn_export.importing.side_by_side import Difference, Own, compare
from larnn_export.manifests import GRAPH_FILE, save_manifest
from larnn_export.placing import CARD_FILE, require_free, version_folder
from larnn_export.reasons import reason
from larnn_service.contract import GraphFile, Manifest
from larnn_service.tensors import File

DATA_FILE = "model.onnx.data"
SMALL = 100
"""Bytes of a tensor that stays in the graph: those of loops must."""
LARGEST = 2**31 - 2**20
"""Bytes of a file with its weights inside; protobuf takes less than 2 GiB."""


@dataclass(frozen=True)
class Imported:
    """What was made."""

    folder: Path
    plan: Plan
    paired: Pairing
    difference: Difference


def import_graph(
    file: Path | str,
    options: Options,
    root: Path | str = "models",
    *,
    samples: Path | None = None,
    replace: bool = False,
    largest: int = LARGEST,
) -> Imported:
    """Write root/<name>/<version>/ from an ONNX file, ready to be served.

    The model is compared with the file on the numbers in `samples` (.npy, or .wav), or on noise.
    Above `largest` bytes the weights go into a file beside the graph. Raises ImportFailed, which
    tells all that is missing or does not fit, and PublishError where the version exists.
    """
    require_free(Path(root), options.name, options.version, replace)
    original = Original(Path(file))
    found = look(original, options)
    steps = None
    if samples is not None:
        steps = read_steps(samples, found.fitted, options, found.problems)
    found.problems.tell()
    paired = found.paired
    own = None if samples is None or steps is None else Own(steps, samples.name)
    plan, model, difference = _first_equal(original, options, found, own, largest)
    with version_folder(Path(root), options.name, options.version, replace) as folder:
        graph = _write_graph(folder, model, largest)
        for name, data in plan.files.items():
            (folder / name).write_bytes(data)
        manifest = _manifest(original, options, plan, paired, difference, graph)
        save_manifest(folder, manifest)
        card = write_import_card(manifest, plan, difference)
        (folder / CARD_FILE).write_text(card, encoding="utf-8")
    return Imported(Path(root) / options.name / str(options.version), plan, paired, difference)


def _first_equal(
    original: Original,
    options: Options,
    found: Look,
    own: Own | None,
    largest: int,
) -> tuple[Plan, onnx.ModelProto, Difference]:
    """The first layout whose model answers as the file does."""
    prepared = prepare(original, options)
    failed: ImportFailed | None = None
    for layout in found.layouts:
        if (layout.rows, layout.steps) == ("together", "whole") and not has_layers(prepared.graph):
            continue
        if failed is not None:
            layout = dataclasses.replace(layout, why=failed.problems[0])
        plan = make_plan(original, found.paired, layout, options)
        try:
            model = _built(prepared, plan, prepared.graph.ByteSize() > largest)
            return plan, model, compare(original, plan, model, options, own)
        except ImportFailed as error:
            failed = failed or error
    if failed is None:
        raise ImportFailed(["no reading of it runs as --rows and --steps say: leave them out"])
    raise failed


def _built(prepared: Prepared, plan: Plan, apart: bool) -> onnx.ModelProto:
    try:
        return build_model(prepared, plan, apart)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise ImportFailed([f"onnx does not take its graph: {reason(error)}"]) from error


def _write_graph(folder: Path, model: onnx.ModelProto, largest: int) -> GraphFile:
    """With its weights inside, or beside it where they are too large."""
    target = folder / GRAPH_FILE
    data: tuple[File, ...] = ()
    if model.ByteSize() <= largest:
        target.write_bytes(model.SerializeToString(deterministic=True))
    else:
        onnx.save(
            model, target, save_as_external_data=True, location=DATA_FILE, size_threshold=SMALL
        )
        data = (File(file=DATA_FILE, sha256=_sha256(folder / DATA_FILE)),)
    return GraphFile(file=GRAPH_FILE, sha256=_sha256(target), data=data)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _manifest(
    original: Original,
    options: Options,
    plan: Plan,
    paired: Pairing,
    difference: Difference,
    graph: GraphFile,
) -> Manifest:
    return Manifest(
        name=options.name,
        version=options.version,
        description=options.description or f"{original.file.name} of its author",
        contract=plan.contract,
        graph=graph,
        network={
            "imported": {
                "file": original.file.name,
                "sha256": original.sha256,
                "producer": original.producer,
                "opset": original.opset,
                "precision": original.precision,
                "rows": plan.layout.rows,
                "steps": plan.layout.steps,
                "state": paired.state,
                "options": options.told(),
            }
        },
        metrics={
            "parity": {**difference.outputs, "state": difference.state},
            "compared": {
                "on": difference.source,
                "steps": difference.steps,
                "bound": difference.bound,
                "tolerance": options.tolerance,
            },
        },
        data_terms=options.data_terms,
    )
