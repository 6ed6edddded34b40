"""NVIDIA Triton 2.51, the binary inside PyTriton's wheel, with its python backend and batcher.

The wheel has no onnxruntime backend. Its python backend is linked against libpython3.11 and finds
it where Debian's own interpreter has it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.peers import oip
from benchmarks.peers.base import ONNXRUNTIME, Ask, Floats, Peer, Place, Start, module
from benchmarks.server import ROOT

CONFIG = """backend: "python"
max_batch_size: 64
input [{name: "x" data_type: TYPE_FP32 dims: [-1, 9]}]
output [{name: "logits" data_type: TYPE_FP32 dims: [6]}]
dynamic_batching {}
instance_group [{kind: KIND_CPU count: WORKERS}]
"""


class Triton(Peer):
    name = "triton"
    requirements = ("nvidia-pytriton==0.7.0", ONNXRUNTIME)
    base_python = Path("/usr/bin/python3")
    health = f"/v2/models/{oip.MODEL}/ready"

    def start(self, place: Place) -> Start:
        config = CONFIG.replace("WORKERS", str(place.workers))
        return start(place, oip.MODEL, config, "triton")

    def asks(self, window: Floats) -> dict[str, Ask]:
        return {"JSON": oip.json_ask(window), "binary": oip.binary_ask(window)}


def start(place: Place, model: str, config: str, server: str, **environment: str) -> Start:
    """tritonserver with one model: its config.pbtxt and benchmarks/servers/SERVER.py."""
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
    (repository / "config.pbtxt").write_text(config)
    shutil.copy(ROOT / "benchmarks" / "servers" / f"{server}.py", repository / "1" / "model.py")
    command = [
        *(str(triton / "bin" / "tritonserver"), "--model-repository", str(repository.parent)),
        *("--backend-directory", str(backend.parent), "--http-address", "127.0.0.1"),
        *("--http-port", str(place.port), "--allow-grpc", "false", "--allow-metrics", "false"),
        *("--http-thread-count", "8"),
        *("--backend-config", "python,shm-default-byte-size=67108864"),
    ]
    libraries = str(packages / "nvidia_pytriton.libs")
    settings = {"LD_LIBRARY_PATH": libraries, "PYTHONPATH": str(packages), **environment}
    return Start(command, module(place, server, **settings).environment)
