"""NVIDIA's perf_analyzer measures models of values, tokens and frames, over HTTP and over gRPC."""

from __future__ import annotations

import ctypes.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from larnn_export.importing import Options, import_graph
from tests import live, tools
from tests.importing import graphs

WHEELS = ("tritonclient==2.48.0", "nvidia-cuda-runtime-cu12")
"""The last wheel of tritonclient that holds perf_analyzer, and a library that it is linked with."""
LIBB64 = "libb64-0d"
"""Debian's package of another one."""
STEPS, REQUESTS = 16, 12


def run(
    *command: str | Path, folder: Path, variables: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.fixture(scope="module")
def perf_analyzer(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The program and the variables that it needs, or a skip that says why there is none."""
    folder = tmp_path_factory.mktemp("perf_analyzer")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--only-binary", ":all:"]
    installed = run(*pip, "--target", folder, *WHEELS, folder=folder, variables={})
    if installed.returncode:
        tools.missing(f"pip cannot install {', '.join(WHEELS)}: {installed.stderr[-300:]}")
    libraries = [folder / "nvidia/cuda_runtime/lib"]
    if ctypes.util.find_library("b64") is None:
        if not shutil.which("apt-get") or not shutil.which("dpkg"):
            pytest.skip(f"{LIBB64} is not installed, and there is no apt-get to fetch it")
        fetched = run("apt-get", "download", LIBB64, folder=folder, variables={})
        packages = list(folder.glob(f"{LIBB64}_*.deb"))
        if fetched.returncode or not packages:
            pytest.skip(f"apt-get cannot download {LIBB64}: {fetched.stderr[-300:]}")
        run("dpkg", "-x", packages[0], folder / LIBB64, folder=folder, variables={})
        libraries += {file.parent for file in (folder / LIBB64).rglob("libb64.so*")}
    variables = {"LD_LIBRARY_PATH": ":".join(map(str, libraries))}
    program = folder / "bin" / "perf_analyzer"
    program.chmod(0o755)
    started = run(program, "--version", folder=folder, variables=variables)
    if "Version" not in started.stderr:
        pytest.skip(f"perf_analyzer does not start here: {started.stderr[-300:]}")
    return program, variables


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[live.Process]:
    root = tmp_path_factory.mktemp("models")
    for name in ("larnn-har", "rra-imdb"):
        (root / name).symlink_to(live.ROOT / "models" / name)
    folder = tmp_path_factory.mktemp("files")
    frames = {"input": {"frame": 4, "overlap": 2}, "constants": {"sr": 16000}}
    once = {"once": {"speaker": "required", "gain": 2}}
    for write, name, said in (
        (graphs.branches, "frames", frames),
        (graphs.told_once, "told-once", once),
    ):
        import_graph(write(folder), Options.model_validate({"name": name, **said}), root)
    with live.process(models=root, model="larnn-har", grpc_port=0) as process:
        yield process


def _steps(model: str) -> NDArray[Any]:
    if model == "larnn-har":
        signals: NDArray[Any] = np.load(live.ROOT / "examples/recording.npz")["signals"]
        return signals[:STEPS]
    if model == "rra-imdb":
        return np.arange(STEPS)[:, None] * 200
    return np.random.default_rng(0).normal(0, 0.1, (STEPS, 4)).astype(np.float32)


def _tensor(array: NDArray[Any]) -> dict[str, Any]:
    return {"content": array.ravel().tolist(), "shape": list(array.shape)}


CASES = [
    *((model, parts) for model in ("larnn-har", "rra-imdb", "frames") for parts in (1, 3)),
    ("told-once", 1),  # it sends every input with every part
]


@pytest.mark.parametrize("way", ["http", "grpc", "grpc --streaming"])
@pytest.mark.parametrize(("model", "parts"), CASES, ids=[f"{m} in {p}" for m, p in CASES])
def test_it_measures_a_model(
    perf_analyzer: tuple[Path, dict[str, str]],
    service: live.Process,
    tmp_path: Path,
    way: str,
    model: str,
    parts: int,
) -> None:
    program, variables = perf_analyzer
    steps = _steps(model)
    told = {"x": _tensor(steps)}
    if model == "told-once":
        told |= {"speaker": _tensor(np.ones(4)), "gain": _tensor(np.array([3.0]))}
    (tmp_path / "steps.json").write_text(json.dumps({"data": [[told] * parts]}))
    address = service.url.removeprefix("http://") if way == "http" else service.grpc
    asked = f"-m {model} -u {address} -i {way} --request-count {REQUESTS}"
    shape = f"--shape x:{STEPS},{steps.shape[1]} --shape lengths:1 --input-data steps.json"
    for _ in range(2):  # nothing that the first run leaves is in the way of the second
        done = run(program, *f"{asked} {shape}".split(), folder=tmp_path, variables=variables)
        assert done.returncode == 0, done.stdout + done.stderr
        counts = dict(re.findall(r"^ +(.+ count): (\d+)", done.stdout, re.MULTILINE))
        sent = int(counts["Request count"])
        assert sent >= REQUESTS
        for name in ("Inference count", "Execution count", "Successful request count"):
            # It asks for the statistics while one request is on its way, at either end.
            assert abs(int(counts[name]) - sent) <= 1, done.stdout
        assert re.search(r"compute infer \d+ usec", done.stdout), done.stdout
