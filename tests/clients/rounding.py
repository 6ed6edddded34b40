"""How far the logits of the edge and of the service are from float64, over a long recording:
python -m tests.clients.rounding [--steps 18000]

Each runs larnn-har over the example's recording, again and again, in chunks; the state goes on from
one to the next. The truth is the network in torch, in double precision.
"""

from __future__ import annotations

import argparse
import copy
import sys
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from larnn_export.publish import served
from larnn_service import native
from larnn_service.contract import INPUT, LENGTHS, LOGITS, Contract, Manifest
from tests.clients.node import Driver, driver, packages
from tests.clients.test_edge import CHUNK, MODELS, folder, signal, worst

MODEL = "larnn-har"


def chunks(steps: NDArray[Any]) -> list[NDArray[Any]]:
    return np.split(steps, range(CHUNK, len(steps), CHUNK))


def state_of(contract: Contract) -> dict[str, NDArray[Any]]:
    """Of a batch of one, before the first step."""
    return {each.name: np.zeros((1, *each.shape), each.dtype) for each in contract.state}


def by_runtime(contract: Contract, steps: NDArray[np.float32], *, kernels: bool) -> NDArray[Any]:
    """onnxruntime's logits as the service has them: by the native operator, or the plain graph."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if kernels:
        options.register_custom_ops_library(native.library())
    path = str(MODELS / MODEL / "1" / "model.onnx")
    session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    state, found = state_of(contract), []
    names = [LOGITS, *(f"next_{name}" for name in state)]
    for chunk in chunks(steps):
        fed = {INPUT: chunk[None], LENGTHS: np.array([len(chunk)]), **state}
        logits, *after = session.run(names, fed)
        found.append(logits[0])
        state = dict(zip(state, after, strict=True))
    return np.concatenate(found)


def in_float64(contract: Contract, steps: NDArray[np.float32]) -> NDArray[np.float64]:
    """The network's logits in double precision."""
    network = copy.deepcopy(served(MODELS / MODEL / "1" / "checkpoint").network).double()
    state = tuple(
        tensor.double() if tensor.is_floating_point() else tensor
        for tensor in map(torch.from_numpy, state_of(contract).values())
    )
    found = []
    with torch.no_grad():
        for chunk in chunks(steps):
            x = torch.from_numpy(chunk[None]).double()
            logits, state = network(x, state, torch.tensor([len(chunk)]))
            found.append(logits[0].numpy())
    return np.concatenate(found)


def measure(node: Driver, count: int) -> dict[str, float]:
    """The worst differences from float64, over max(1, |logit|)."""
    manifest = Manifest.model_validate_json((MODELS / MODEL / "1" / "model.json").read_bytes())
    steps = signal(count, 9)
    right = in_float64(manifest.contract, steps)
    edges = [*range(0, count, CHUNK), count]
    told = node.do("offline", folder=folder(MODEL), signal=steps.tolist(), edges=edges)
    found = {
        "the edge": np.reshape(told["logits"], right.shape),
        "the service, plain graph": by_runtime(manifest.contract, steps, kernels=False),
    }
    if native.library() is not None:
        found["the service, native"] = by_runtime(manifest.contract, steps, kernels=True)
    return {name: worst(logits, right) for name, logits in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=18_000, help="of the recording: 50 a second")
    count = parser.parse_args().steps
    packages()
    with driver() as node:
        for name, difference in measure(node, count).items():
            sys.stdout.write(f"{name}: {difference:.1e} from float64 over {count} steps\n")


if __name__ == "__main__":
    main()
