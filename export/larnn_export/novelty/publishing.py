"""A new version of a published network that tells novelty, and answers as before."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from larnn_export.data.hapt import Recording
from larnn_export.graph import add_novelty
from larnn_export.manifests import GRAPH_FILE, graph_entry, read_manifest, save_manifest
from larnn_export.model_card import write_card
from larnn_export.networks import WithNovelty
from larnn_export.networks.novelty import NOVELTY
from larnn_export.novelty.score import Score
from larnn_export.novelty.stored import write_score
from larnn_export.onnx_run import Session, difference
from larnn_export.placing import CHECKPOINT_FOLDER, PublishError, version_folder
from larnn_export.publish import ATTENTION_FILE, graph_files, served
from larnn_export.robustness import ROBUSTNESS_FILE
from larnn_export.robustness_picture import ROBUSTNESS_PICTURE
from larnn_export.running import run_together
from larnn_export.stream_metrics import probabilities
from larnn_service.contract import LOGITS, Contract
from larnn_service.distribution import CONFIDENCE, Distribution

SAME = 1e-6
"""How far logits of the new version may be from those of the old, relative to max(1, |logit|)."""
BINS = 10


def publish_with_novelty(
    version: Path,
    number: int,
    score: Score,
    figures: Mapping[str, Any],
    recordings: Sequence[Recording],
    replace: bool = False,
) -> Path:
    """Write the version `number` beside `version`, and give its path.

    `recordings` are those of people of training: over them the logits are compared, and how
    inputs, confidence and novelty are distributed goes into the manifest. Raises PublishError where
    the logits differ or the version exists; ParityError; OSError, ValueError.
    """
    old = read_manifest(version)
    root = version.parent.parent
    with version_folder(root, old.name, number, replace) as folder:
        kept = folder / CHECKPOINT_FOLDER
        of_the_old = shutil.ignore_patterns(ROBUSTNESS_FILE, ROBUSTNESS_PICTURE)
        shutil.copytree(version / CHECKPOINT_FOLDER, kept, ignore=of_the_old)
        write_score(kept, score, figures)
        mine = served(kept, raw=True)
        assert isinstance(mine.network, WithNovelty)
        before = onnx.load(version / old.graph.file)
        model = add_novelty(before, mine.network.novelty, mine.contract)
        parity = mine.verify(model)
        files = graph_files(model)
        for name, data in files.items():
            (folder / name).write_bytes(data)
        graphs = {file: graph_entry(data, file) for file, data in files.items()}
        logits, novelty = _answers(folder / GRAPH_FILE, mine.contract, recordings, NOVELTY)
        those, _ = _answers(version / old.graph.file, old.contract, recordings)
        if (apart := difference(logits, those)) > SAME:
            raise PublishError(
                f"logits differ from those of {version} by {apart:.0e}: not the same"
            )
        told = {**parity.outputs, "state": parity.state, "steps": parity.steps}
        manifest = old.model_copy(
            update={
                "version": number,
                "contract": mine.contract,
                "graph": graphs[GRAPH_FILE],
                "attention": graphs.get(ATTENTION_FILE),
                "metrics": {**old.metrics, "parity": told},
                "training": tuple(_training(mine.contract, recordings, logits, novelty)),
            }
        )
        save_manifest(folder, manifest)
        write_card(folder, root)
    return root / old.name / str(number)


def _answers(
    graph: Path, contract: Contract, recordings: Sequence[Recording], *further: str
) -> tuple[Any, Any]:
    """Logits [steps, classes] of all recordings one behind the other, and a further output."""
    streams = [recording.signals for recording in recordings]
    found: list[list[list[Any]]] = [[[], []] for _ in streams]
    for first, (logits, *others) in run_together(
        Session(graph), contract, streams, [LOGITS, *further]
    ):
        for stream, parts in enumerate(found):
            steps = min(logits.shape[1], len(streams[stream]) - first)
            for part, array in zip(parts, (logits, *others), strict=False):
                part.append(array[stream, : max(steps, 0)])
    whole = [
        np.concatenate([p for parts in found for p in parts[i]]) for i in range(1 + len(further))
    ]
    return whole[0], whole[1] if further else None


def _training(
    contract: Contract, recordings: Sequence[Recording], logits: Any, novelty: Any
) -> list[Distribution]:
    signals = np.concatenate([recording.signals for recording in recordings])
    names = [channel.name for channel in contract.input.channels]
    values = dict(zip(names, signals.T, strict=True))
    values[CONFIDENCE] = probabilities(logits).max(axis=1)
    values[NOVELTY] = novelty[:, 0]
    return [_distribution(name, each.astype(np.float64)) for name, each in values.items()]


def _distribution(quantity: str, values: Any) -> Distribution:
    """In bins of about as many values each."""
    cuts = np.quantile(values, np.arange(1, BINS) / BINS)
    bounds = np.unique([float(f"{cut:.4g}") for cut in cuts])
    counts = np.bincount(np.searchsorted(bounds, values), minlength=len(bounds) + 1)
    shares = tuple(round(float(share), 5) for share in counts / len(values))
    return Distribution(quantity=quantity, bounds=tuple(bounds.tolist()), shares=shares)
