"""Publish a run: models/<name>/<version>/, graph, manifest, card and checkpoint, whole or not."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from onnx import ModelProto

from export import checkpoint
from export.data import DataInfo
from export.data.uci_har import INFO
from export.evaluate import EVALUATION_FILE
from export.folds import FOLDS_FILE
from export.graph import attention_graph, build_graph
from export.model_card import PICTURES, write_card
from export.networks import RecurrentClassifier
from export.placing import PublishError, version_folder
from export.verify import scale_of, verify
from service.contract import MANIFEST_FILE, Contract, GraphFile, Manifest

GRAPH_FILE = "model.onnx"
ATTENTION_FILE = "attention.onnx"
CHECKPOINT_FOLDER = "checkpoint"


def contract_of(network: RecurrentClassifier, info: DataInfo = INFO) -> Contract:
    """The contract of a network that takes such data."""
    return Contract(
        channels=info.channels,
        labels=info.labels,
        sample_rate_hz=info.sample_rate_hz,
        state=tuple(network.state_tensors()),
    )


def publish(
    run: Path,
    name: str,
    version: int,
    root: Path,
    folds: Path | None = None,
    replace: bool = False,
) -> Path:
    """Verify parity, then write root/<name>/<version>/ and give its path.

    `folds` holds the runs that chose the recipe. Raises PublishError where the run was not
    evaluated, the folds are of another recipe or the version exists; ParityError.
    """
    if not (run / EVALUATION_FILE).is_file():
        raise PublishError(f"{run} has no {EVALUATION_FILE}: python -m export evaluate {run}")
    with version_folder(root, name, version, replace) as folder:
        network = checkpoint.load_network(run)
        _, record = checkpoint.read(run, checkpoint.FINISHED)
        info = checkpoint.data_info(record)
        contract = contract_of(network, info)
        model = build_graph(network, contract)
        parity = verify(network, model, scale=scale_of(record))
        files = graph_files(model)
        manifest = Manifest(
            name=name,
            version=version,
            description=f"{network.config.family.upper()} for {info.title}",
            contract=contract,
            graph=_entry(files, GRAPH_FILE),
            attention=_entry(files, ATTENTION_FILE) if ATTENTION_FILE in files else None,
            network=network.config.model_dump(mode="json"),
            metrics={
                "folds": _folds_of(folds, record),
                "test": json.loads((run / EVALUATION_FILE).read_text()),
                "parity": {"logits": parity.logits, "state": parity.state, "steps": parity.steps},
            },
        )
        _write(folder, [run, *([folds] if folds else [])], manifest, files, info)
    return root / name / str(version)


def _folds_of(folds: Path | None, record: dict[str, Any]) -> dict[str, Any] | None:
    """Accuracy on people held out, of the same recipe as the run's but for the seed."""
    if folds is None:
        return None
    try:
        found = json.loads((folds / FOLDS_FILE).read_text())
    except (OSError, ValueError) as error:
        raise PublishError(f"{folds / FOLDS_FILE}: {error}; python -m export folds") from error
    for key in ("network", "training"):
        mine, other = ({**configs[key], "seed": 0} for configs in (record, found))
        if mine != other:
            raise PublishError(f"{folds} has another {key} configuration than the run: {other}")
    return {"accuracy": found["accuracy"], "each": [fold["accuracy"] for fold in found["folds"]]}


def graph_files(model: ModelProto) -> dict[str, bytes]:
    """The model's graph, and where it has attention the graph that shows it, by file name."""
    graphs = {GRAPH_FILE: model, ATTENTION_FILE: attention_graph(model)}
    return {
        name: graph.SerializeToString(deterministic=True)
        for name, graph in graphs.items()
        if graph is not None
    }


def _entry(files: dict[str, bytes], name: str) -> GraphFile:
    return GraphFile(file=name, sha256=hashlib.sha256(files[name]).hexdigest())


def _write(
    folder: Path, sources: list[Path], manifest: Manifest, files: dict[str, bytes], info: DataInfo
) -> None:
    kept = folder / CHECKPOINT_FOLDER
    kept.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=1) + "\n")
    weights = (f"{checkpoint.FINISHED}.safetensors", f"{checkpoint.FINISHED}.json")
    for source in sources:
        for file in (*weights, EVALUATION_FILE, FOLDS_FILE, *PICTURES):
            if (source / file).is_file():
                shutil.copyfile(source / file, kept / file)
    write_card(folder, manifest, info, [name for name in PICTURES if (kept / name).is_file()])
