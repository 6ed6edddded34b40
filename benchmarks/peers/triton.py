"""NVIDIA Triton 2.51, the binary inside PyTriton's wheel, with its python backend and batcher.

The wheel has no onnxruntime backend. Its python backend is linked against libpython3.11 and finds
it where Debian's own interpreter has it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.peers.asks import OIP
from benchmarks.peers.base import MODEL, ONNXRUNTIME, ROOT, SERVING, Peer, Place, Start

CONFIG = """backend: "python"
max_batch_size: 64
input [{name: "x" data_type: TYPE_FP32 dims: [-1, 9]}]
output [{name: "logits" data_type: TYPE_FP32 dims: [6]}]
instance_group [{kind: KIND_CPU count: WORKERS}]
"""
BACKEND = """import sys
sys.path += PATHS  # the backend's process starts isolated, without any

from benchmarks.peers.MODULE import TritonPythonModel
"""


class Triton(Peer):
    name = "triton"
    requirements = ("nvidia-pytriton==0.7.0", ONNXRUNTIME)
    base_python = Path("/usr/bin/python3")
    health = f"/v2/models/{MODEL}/ready"
    asks = OIP

    def start(self, place: Place) -> Start:
        return start(place, MODEL, CONFIG + "dynamic_batching {}\n", "triton")


def start(place: Place, model: str, config: str, module: str, **environment: str) -> Start:
    """tritonserver with one model: its config.pbtxt and benchmarks/peers/MODULE.py."""
    [packages] = (place.python.parent.parent / "lib").glob("python3.*/site-packages")
    version = packages.parent.name.removeprefix("python")
    triton = packages / "pytriton" / "tritonserver"
    backend = place.folder / "backends" / "python"
    backend.mkdir(parents=True)
    for file in (triton / "backends" / "python").iterdir():
        (backend / file.name).symlink_to(file)
    stub = "triton_python_backend_stub"
    (backend / stub).symlink_to(triton / "python_backend_stubs" / version / stub)
    repository = place.folder / "repository" / model
    (repository / "1").mkdir(parents=True)
    (repository / "config.pbtxt").write_text(config.replace("WORKERS", str(place.workers)))
    code = BACKEND.replace("PATHS", repr([str(packages), str(ROOT)])).replace("MODULE", module)
    (repository / "1" / "model.py").write_text(code)
    command = [
        *(str(triton / "bin" / "tritonserver"), "--model-repository", str(repository.parent)),
        *("--backend-directory", str(backend.parent), "--http-address", "127.0.0.1"),
        *("--http-port", str(place.port), "--allow-grpc", "false", "--allow-metrics", "false"),
        *("--http-thread-count", "8"),
        *("--backend-config", "python,shm-default-byte-size=67108864"),
    ]
    libraries = {"LD_LIBRARY_PATH": str(packages / "nvidia_pytriton.libs")}
    return Start(command, place.module(module, **libraries, **environment).environment)


if SERVING == "triton":
    import triton_python_backend_utils as triton

    from benchmarks.peers.graph import Graph

    class TritonPythonModel:
        def initialize(self, args):
            self.graph = Graph()

        def execute(self, requests):
            arrays = [triton.get_input_tensor_by_name(asked, "x").as_numpy() for asked in requests]
            logits = self.graph.run(np.concatenate(arrays))
            parts = np.split(logits, np.cumsum([len(array) for array in arrays])[:-1])
            return [triton.InferenceResponse([triton.Tensor("logits", part)]) for part in parts]
