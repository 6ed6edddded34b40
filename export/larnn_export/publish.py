"""Publish a run: models/<name>/<version>/, graph, manifest, card and checkpoint, whole or not."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnx import ModelProto

from larnn_export import checkpoint
from larnn_export.calibration import calibrate, temperature_of
from larnn_export.data import DataInfo
from larnn_export.data.hapt import RAW_INFO
from larnn_export.data.uci_har import INFO
from larnn_export.evaluate import EVALUATION_FILE, RAW_EVALUATION_FILE
from larnn_export.folds import FOLDS_FILE, require_folds_of
from larnn_export.graph import attention_graph, build_graph
from larnn_export.manifests import GRAPH_FILE, graph_entry, save_manifest
from larnn_export.model_card import PICTURES, write_card
from larnn_export.networks import Network, RawClassifier, RecurrentClassifier, WithNovelty
from larnn_export.networks.novelty import NOVELTY
from larnn_export.novelty.stored import read_score
from larnn_export.placing import CHECKPOINT_FOLDER, PublishError, version_folder
from larnn_export.stream_evaluation import STREAMS_FILE
from larnn_export.trial_inputs import Scale, scale_of, standard
from larnn_export.verify import Parity, verify
from larnn_service.contract import Contract, Input, Manifest
from larnn_service.outputs import Channel, Output, classes

ATTENTION_FILE = "attention.onnx"
MEASURED = (EVALUATION_FILE, RAW_EVALUATION_FILE, STREAMS_FILE, FOLDS_FILE)


@dataclass(frozen=True)
class Served:
    """A network and what surrounds it."""

    network: Network
    info: DataInfo
    scale: Scale
    unsure_above: float | None = None
    """Of the novelty, where the network tells it."""

    @property
    def contract(self) -> Contract:
        return contract_of(self.network, self.info, self.unsure_above)

    def graph(self) -> ModelProto:
        return build_graph(self.network, self.contract)

    def verify(self, model: ModelProto) -> Parity:
        """Compare the graph with the network; raises ParityError."""
        return verify(self.network, model, scale=self.scale)


def served(run: Path, raw: bool = False) -> Served:
    """Of a finished run, calibrated where it has a temperature; raw, behind a phone's filters.
    CheckpointError where it has no network."""
    _, record = checkpoint.read(run, checkpoint.FINISHED)
    network = calibrate(checkpoint.load_network(run), temperature_of(run))
    if raw and (score := read_score(run)) is not None:
        telling = WithNovelty(RawClassifier(network), score).eval()
        return Served(telling, RAW_INFO, standard(len(RAW_INFO.channels)), score.threshold)
    if raw:
        return Served(RawClassifier(network).eval(), RAW_INFO, standard(len(RAW_INFO.channels)))
    info = checkpoint.data_info(record)
    return Served(network, info, scale_of(record) or standard(len(info.channels)))


def contract_of(
    network: Network, info: DataInfo | None = None, unsure_above: float | None = None
) -> Contract:
    """The contract of a network that takes such data: UCI HAR's, or a phone's raw channels."""
    info = info or (INFO if isinstance(network, RecurrentClassifier) else RAW_INFO)
    value = Channel(name=NOVELTY, unit="")
    novelty = Output(name=NOVELTY, task="values", values=(value,), unsure_above=unsure_above)
    return Contract(
        input=Input(channels=info.channels),
        outputs=(*classes(info.labels), *([novelty] if isinstance(network, WithNovelty) else [])),
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
    raw: bool = False,
) -> Path:
    """Verify parity, then write root/<name>/<version>/ and give its path.

    `folds` holds the folds of its recipe. Raises PublishError where the run was not evaluated,
    the folds cannot be read or the version exists; CheckpointError where they are of another
    recipe or a figure is of other weights; ParityError.
    """
    file, flag = (RAW_EVALUATION_FILE, " --raw") if raw else (EVALUATION_FILE, "")
    if (test := checkpoint.figures(run, file)) is None:
        raise PublishError(f"{run} has no {file}: python -m export evaluate {run}{flag}")
    with version_folder(root, name, version, replace) as folder:
        mine = served(run, raw)
        _, record = checkpoint.read(run, checkpoint.FINISHED)
        parity = mine.verify(model := mine.graph())
        files = graph_files(model)
        graphs = {file: graph_entry(data, file) for file, data in files.items()}
        manifest = Manifest(
            name=name,
            version=version,
            description=f"{mine.network.config.family.upper()} for {mine.info.title}",
            contract=mine.contract,
            graph=graphs[GRAPH_FILE],
            attention=graphs.get(ATTENTION_FILE),
            network=mine.network.config.model_dump(mode="json"),
            metrics={
                "folds": _folds_of(folds, record),
                "test": test,
                "streams": checkpoint.figures(run, STREAMS_FILE),
                "parity": {"logits": parity.logits, "state": parity.state, "steps": parity.steps},
            },
            data_terms=mine.info.terms,
        )
        _write(folder, [run, *([folds] if folds else [])], manifest, files)
        write_card(folder, root)
    return root / name / str(version)


def _folds_of(folds: Path | None, record: dict[str, Any]) -> dict[str, Any] | None:
    """Accuracy on people held out, of the same recipe as the run's but for the seed."""
    if folds is None:
        return None
    try:
        found = json.loads((folds / FOLDS_FILE).read_text())
    except (OSError, ValueError) as error:
        raise PublishError(f"{folds / FOLDS_FILE}: {error}; python -m export folds") from error
    require_folds_of(folds, found, record)
    return {"accuracy": found["accuracy"], "each": [fold["accuracy"] for fold in found["folds"]]}


def graph_files(model: ModelProto) -> dict[str, bytes]:
    """The model's graph, and where it has attention the graph that shows it, by file name."""
    graphs = {GRAPH_FILE: model, ATTENTION_FILE: attention_graph(model)}
    return {
        name: graph.SerializeToString(deterministic=True)
        for name, graph in graphs.items()
        if graph is not None
    }


def _write(folder: Path, sources: list[Path], manifest: Manifest, files: dict[str, bytes]) -> None:
    kept = folder / CHECKPOINT_FOLDER
    kept.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    save_manifest(folder, manifest)
    weights = (f"{checkpoint.FINISHED}.safetensors", f"{checkpoint.FINISHED}.json")
    for source in sources:
        for file in (*weights, *MEASURED, *PICTURES):
            if (source / file).is_file():
                shutil.copyfile(source / file, kept / file)
