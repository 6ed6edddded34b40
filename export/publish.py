"""Publish a run: models/<name>/<version>/, graph, manifest, card and checkpoint, whole or not."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from export import checkpoint
from export.data.hapt import RAW_CHANNELS
from export.data.uci_har import CHANNELS, LABELS, SAMPLE_RATE_HZ
from export.evaluate import EVALUATION_FILE, RAW_EVALUATION_FILE
from export.folds import FOLDS_FILE
from export.graph import build_graph
from export.model_card import PICTURES, write_card
from export.networks import Network, RawClassifier
from export.stream_evaluation import STREAMS_FILE
from export.verify import verify
from service.contract import MANIFEST_FILE, Contract, GraphFile, Manifest

GRAPH_FILE = "model.onnx"
CHECKPOINT_FOLDER = "checkpoint"


class PublishError(ValueError):
    """What stands in the way of publishing, and what to do."""


def contract_of(network: Network, labels: tuple[str, ...] = LABELS) -> Contract:
    """The contract of a network that takes UCI HAR's channels, or a phone's."""
    return Contract(
        channels=RAW_CHANNELS if isinstance(network, RawClassifier) else CHANNELS,
        labels=labels,
        sample_rate_hz=SAMPLE_RATE_HZ,
        state=tuple(network.state_tensors()),
    )


def publish(
    run: Path,
    name: str,
    version: int,
    root: Path,
    folds: Path | None = None,
    replace: bool = False,
    raw: bool = False,
) -> Path:
    """Verify parity, then write root/<name>/<version>/ and give its path.

    `folds` holds the runs that chose the recipe. Raises PublishError where the run was not
    evaluated, the folds are of another recipe or the version exists; ParityError.
    """
    evaluation = run / (RAW_EVALUATION_FILE if raw else EVALUATION_FILE)
    target = root / name / str(version)
    if target.exists() and not replace:
        raise PublishError(f"{target} exists: take another version, or --replace it")
    if not evaluation.is_file():
        flag = " --raw" if raw else ""
        raise PublishError(f"{run} has no {evaluation.name}: python -m export evaluate {run}{flag}")
    network = checkpoint.load_published(run, raw)
    _, record = checkpoint.read(run, checkpoint.FINISHED)
    contract = contract_of(network)
    model = build_graph(network, contract)
    parity = verify(network, model)
    data = model.SerializeToString(deterministic=True)
    manifest = Manifest(
        name=name,
        version=version,
        description=_description(record, raw),
        contract=contract,
        graph=GraphFile(file=GRAPH_FILE, sha256=hashlib.sha256(data).hexdigest()),
        network=network.config.model_dump(mode="json"),
        metrics={
            "folds": _folds_of(folds, record),
            "test": _read(evaluation),
            "streams": _read(run / STREAMS_FILE),
            "parity": {"logits": parity.logits, "state": parity.state, "steps": parity.steps},
        },
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".publishing-") as folder:
        _write(Path(folder) / "whole", [run, *([folds] if folds else [])], manifest, data)
        if target.exists():
            target.rename(Path(folder) / "replaced")
        (Path(folder) / "whole").rename(target)
    return target


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


def _read(file: Path) -> Any:
    return json.loads(file.read_text()) if file.is_file() else None


def _write(folder: Path, sources: list[Path], manifest: Manifest, graph: bytes) -> None:
    kept = folder / CHECKPOINT_FOLDER
    kept.mkdir(parents=True)
    (folder / GRAPH_FILE).write_bytes(graph)
    (folder / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=1) + "\n")
    weights = (f"{checkpoint.FINISHED}.safetensors", f"{checkpoint.FINISHED}.json")
    for source in sources:
        for file in (
            *weights,
            EVALUATION_FILE,
            RAW_EVALUATION_FILE,
            STREAMS_FILE,
            FOLDS_FILE,
            *PICTURES,
        ):
            if (source / file).is_file():
                shutil.copyfile(source / file, kept / file)
    write_card(folder, manifest, [name for name in PICTURES if (kept / name).is_file()])


def _description(record: dict[str, Any], raw: bool) -> str:
    family = record["network"]["family"].upper()
    channels = "a phone's six raw channels" if raw else "nine inertial channels"
    return f"{family} for six activities from {channels} at 50 Hz"
