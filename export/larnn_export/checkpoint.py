"""Run directories: tensors as safetensors, everything else as JSON, no pickle.

A run holds `checkpoint.*`, the finished weights ready for use, and `last.*`, what resuming needs.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from larnn_export.data import DataInfo
from larnn_export.data.uci_har import INFO
from larnn_export.families import configure
from larnn_export.networks import RecurrentClassifier

FINISHED = "checkpoint"
LAST = "last"


class CheckpointError(ValueError):
    """A run directory that cannot be read; the text says which file and why."""


def write(run: Path, name: str, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    """Write run/NAME.safetensors and run/NAME.json, each replaced whole or not at all.

    The record carries the tensors' digest, so that a pair torn by a crash is noticed when read.
    """
    run.mkdir(parents=True, exist_ok=True)
    data = save({key: tensor.detach().contiguous() for key, tensor in tensors.items()})
    text = json.dumps({**record, "tensors_sha256": _digest(data)}, indent=1) + "\n"
    _replace(run / f"{name}.safetensors", data)
    _replace(run / f"{name}.json", text.encode())


def read(run: Path, name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and record of run/NAME.*; CheckpointError when missing, damaged or torn."""
    weights, notes = run / f"{name}.safetensors", run / f"{name}.json"
    for path in (weights, notes):
        if not path.is_file():
            raise CheckpointError(f"{path} does not exist: {run} is not a finished training run")
    data = weights.read_bytes()
    try:
        record = json.loads(notes.read_text())
        tensors = load(data)
    except (ValueError, SafetensorError) as error:
        raise CheckpointError(f"{run}/{name}.* is damaged: {error}") from error
    if record.get("tensors_sha256") != _digest(data):
        raise CheckpointError(f"{notes} belongs to other tensors than {weights}")
    return tensors, record


def figures(run: Path, file: str) -> dict[str, Any] | None:
    """What RUN/FILE says was measured; None where there is none.

    Raises CheckpointError where it is of other weights than the run's. A file that does not say of
    which is believed.
    """
    if not (run / file).is_file():
        return None
    found: dict[str, Any] = json.loads((run / file).read_text())
    mine = read(run, FINISHED)[1]["tensors_sha256"]
    if found.get("tensors_sha256", mine) != mine:
        raise CheckpointError(f"{run / file} is of other weights than the run's: remove it")
    return found


def load_network(run: Path) -> RecurrentClassifier:
    """The network of a run, in evaluation mode. It takes raw channel values."""
    tensors, record = read(Path(run), FINISHED)
    network = RecurrentClassifier(configure(record["network"]))
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise CheckpointError(f"{run}: the weights do not fit the network: {error}") from error
    return network.eval()


def data_info(record: Mapping[str, Any]) -> DataInfo:
    """What the data of a run means; a record that does not say is of UCI HAR.

    Of UCI HAR, in today's words.
    """
    info = DataInfo.model_validate(record["data"]) if "data" in record else INFO
    return INFO if info.title == INFO.title else info


def fold_standardisation(
    weights: Mapping[str, Tensor], shift: Tensor, scale: Tensor
) -> dict[str, Tensor]:
    """Weights that take raw values, from weights trained on (x - shift)·scale, [channels] each."""
    folded = dict(weights)
    weight = weights["input.weight"].double() * scale.double()
    folded["input.bias"] = (weights["input.bias"].double() - weight @ shift.double()).float()
    folded["input.weight"] = weight.float()
    return folded


def unfold_standardisation(
    weights: Mapping[str, Tensor], shift: Tensor, scale: Tensor
) -> dict[str, Tensor]:
    """What `fold_standardisation` made, undone: weights that take (x - shift)·scale."""
    return fold_standardisation(weights, -shift * scale, 1 / scale)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _replace(path: Path, data: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
