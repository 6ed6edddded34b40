"""NVIDIA's perf_analyzer measures the bundled model, over HTTP and over gRPC."""

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

import numpy as np
import pytest

from tests import live

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
        pytest.skip(f"pip cannot install {', '.join(WHEELS)}: {installed.stderr[-300:]}")
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
def service() -> Iterator[live.Process]:
    with live.process(models=live.ROOT / "models", model="larnn-har", grpc_port=0) as process:
        yield process


@pytest.mark.parametrize("way", ["http", "grpc", "grpc --streaming"])
@pytest.mark.parametrize("parts", [1, 3], ids=["whole sequences", "sequences in parts"])
def test_it_measures_the_bundled_model(
    perf_analyzer: tuple[Path, dict[str, str]],
    service: live.Process,
    tmp_path: Path,
    way: str,
    parts: int,
) -> None:
    program, variables = perf_analyzer
    window = np.load(live.ROOT / "examples/recording.npz")["signals"][:STEPS]
    x = {"content": window.ravel().tolist(), "shape": list(window.shape)}
    (tmp_path / "steps.json").write_text(json.dumps({"data": [[{"x": x}] * parts]}))
    address = service.url.removeprefix("http://") if way == "http" else service.grpc
    asked = f"-m larnn-har -u {address} -i {way} --request-count {REQUESTS}"
    shape = f"--shape x:{STEPS},9 --shape lengths:1 --input-data steps.json"
    for _ in range(2):  # nothing that the first run leaves is in the way of the second
        done = run(program, *f"{asked} {shape}".split(), folder=tmp_path, variables=variables)
        assert done.returncode == 0, done.stdout + done.stderr
        told = dict(re.findall(r"^ +(.+ count): (\d+)", done.stdout, re.MULTILINE))
        sent = int(told["Request count"])
        assert sent >= REQUESTS
        for name in ("Inference count", "Execution count", "Successful request count"):
            # It asks for the statistics while one request is on its way, at either end.
            assert abs(int(told[name]) - sent) <= 1, done.stdout
        assert re.search(r"compute infer \d+ usec", done.stdout), done.stdout
