"""config.pbtxt: the published folder under NVIDIA Triton, its state as Triton's implicit state."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import text_format
from google.protobuf.json_format import ParseDict
from numpy.typing import NDArray
from tritonclient.grpc.model_config_pb2 import ModelConfig

from larnn_export.manifests import read_manifest
from larnn_service.contract import Contract, Manifest, StateTensor, TensorSignature
from larnn_service.tensors import File

CONFIG_FILE = "config.pbtxt"
INITIAL_STATE_FOLDER = "initial_state"
MAX_SEQUENCES = 1024
"""Sequences that Triton takes at a time; others wait."""
IDLE_MICROSECONDS = 300_000_000
_DTYPES = {"float16": "TYPE_FP16", "float32": "TYPE_FP32", "float64": "TYPE_FP64"}
_DTYPES |= {"bfloat16": "TYPE_BF16", "bool": "TYPE_BOOL"}
_DTYPES |= {
    f"{sign}int{bits}": f"TYPE_{sign.upper()}INT{bits}"
    for sign in ("", "u")
    for bits in (8, 16, 32, 64)
}


def triton_config(manifest: Manifest) -> str:
    """The text of config.pbtxt.

    Each sequence runs as a batch of its own: where Triton batches, a state tensor has one axis more
    than the batch, and a counter of shape [batch] does not.
    """
    contract = manifest.contract
    state = {name for tensor in contract.state for name in (tensor.name, tensor.next_name)}
    described = {
        "name": manifest.name,
        "backend": "onnxruntime",
        "input": [_tensor(each) for each in contract.expected_inputs() if each.name not in state],
        "output": [_tensor(each) for each in contract.expected_outputs() if each.name not in state],
        **({"sequence_batching": _sequences(contract)} if contract.state else {}),
        "parameters": {"labels": {"string_value": ",".join(contract.labels)}},
    }
    text: str = text_format.MessageToString(ParseDict(described, ModelConfig()))
    return text


def write_triton_config(version: Path) -> Path:
    """Write it into the folder of a published version, and where Triton reads it; give its path.
    Raises OSError, and ValueError where there is no manifest."""
    write_in_version(version)
    write_above(version)
    return version / CONFIG_FILE


def write_in_version(version: Path) -> None:
    """Only into the version's folder, wherever that is."""
    (version / CONFIG_FILE).write_text(triton_config(read_manifest(version)), encoding="utf-8")


def write_above(version: Path) -> None:
    """Triton reads the one above its versions: there the newest version's goes too, with the
    initial state where that is not zero. Of an older version nothing is written."""
    model = version.parent
    if version.name == str(max(int(v.name) for v in model.iterdir() if v.name.isdecimal())):
        shutil.copyfile(version / CONFIG_FILE, model / CONFIG_FILE)
        for name, data in _initial_state(read_manifest(version).contract, version).items():
            (model / INITIAL_STATE_FOLDER).mkdir(exist_ok=True)
            (model / INITIAL_STATE_FOLDER / name).write_bytes(data)


def _tensor(signature: TensorSignature) -> dict[str, Any]:
    dims = [-1 if size is None else size for size in signature.shape]
    return {"name": signature.name, "data_type": _DTYPES[signature.dtype], "dims": dims}


def _sequences(contract: Contract) -> dict[str, Any]:
    return {
        "oldest": {"max_candidate_sequences": MAX_SEQUENCES},
        "max_sequence_idle_microseconds": IDLE_MICROSECONDS,
        "state": [_state(tensor) for tensor in contract.state],
    }


def _state(tensor: StateTensor) -> dict[str, Any]:
    """Triton starts a sequence from memory as it finds it, unless it is told the initial state."""
    kind, dims = _DTYPES[tensor.dtype], [1, *tensor.shape]
    start = {"data_file": tensor.name} if tensor.initial else {"zero_data": True}
    initial = {"name": tensor.name, "data_type": kind, "dims": dims} | start
    return {
        "input_name": tensor.name,
        "output_name": tensor.next_name,
        "data_type": kind,
        "dims": dims,
        "initial_state": [initial],
    }


def _initial_state(contract: Contract, version: Path) -> dict[str, bytes]:
    """The files that `_state` names."""
    return {t.name: _start(t, version).tobytes() for t in contract.state if t.initial}


def _start(tensor: StateTensor, version: Path) -> NDArray[Any]:
    if isinstance(tensor.initial, File):
        array: NDArray[Any] = np.load(version / tensor.initial.file, allow_pickle=False)
        return array
    return tensor.initial_array(1)
