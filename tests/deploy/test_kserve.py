"""deploy/kserve: the runtime's own command serves one version, by the InferenceService's name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests import live, toy

RUNTIME = yaml.safe_load((live.ROOT / "deploy/kserve/runtime.yaml").read_text())
SERVICE = yaml.safe_load((live.ROOT / "deploy/kserve/service.yaml").read_text())
[CONTAINER] = RUNTIME["spec"]["containers"]
NAME: str = SERVICE["metadata"]["name"]


PACKAGE = "kserve==0.21.0"


@contextmanager
def running(folder: Path, **more: str) -> Iterator[live.Process]:
    """What the runtime starts, on this machine's ports, with a version where it is mounted."""
    shutil.move(toy.publish(folder / "made", version=3), folder / "models")
    python, *arguments = CONTAINER["args"]
    assert python == "python"
    told = [
        each.replace("{{.Name}}", NAME).replace("/mnt/models", f"{folder}/models")
        for each in arguments
    ]
    own = {each["name"]: each["value"] for each in CONTAINER["env"]}
    here = {"LARNN_HOST": "127.0.0.1", "LARNN_PORT": "0", "LARNN_DRAIN_DELAY": "0"}
    variables = os.environ | own | here | {"LARNN_PROVIDER": "cpu"} | more
    with live.started([sys.executable, *told], variables, live.ROOT) as process:
        yield process


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[live.Process]:
    with running(tmp_path_factory.mktemp("mnt")) as process:
        yield process


def test_the_probe_waits_for_as_long_as_a_load_may_take() -> None:
    probe = CONTAINER["startupProbe"]
    own = {each["name"]: each["value"] for each in CONTAINER["env"]}
    assert probe["periodSeconds"] * probe["failureThreshold"] > int(own["LARNN_LOAD_TIMEOUT"])


def test_a_version_is_served_by_the_name_of_its_service(served: live.Process) -> None:
    with httpx.Client(base_url=served.url, timeout=60) as client:
        client.headers["Host"] = f"{NAME}-predictor.default.svc.cluster.local"
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            path = CONTAINER[probe]["httpGet"]["path"].replace("{{.Name}}", NAME)
            assert client.get(path).is_success, path
        body: dict[str, Any] = {
            "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1, 2], "data": [1, 2]}]
        }
        told = client.post(f"/v2/models/{NAME}/infer", json=body).json()
        assert (told["model_name"], told["model_version"]) == (NAME, "3")
        assert client.post("/v2/models/toy/infer", json=body).status_code == 404
        assert client.post("/classify", json={"sequences": [[[1, 2]]]}).json()["model"] == NAME


@pytest.fixture(scope="module")
def kserve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has KServe's client: LARNN_KSERVE, or one that is made now."""
    if given := os.environ.get("LARNN_KSERVE"):
        return Path(given)
    folder = tmp_path_factory.mktemp("kserve")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin/python"
    subprocess.run([python, "-m", "pip", "install", "-q", PACKAGE], check=True)
    return python


@pytest.mark.deploy
def test_kserves_own_client_passes(tmp_path: Path, kserve: Path) -> None:
    """With the port for gRPC that docs/kubernetes.md adds."""
    script = str(Path(__file__).with_name("kserve_client.py"))
    with running(tmp_path, LARNN_GRPC_PORT="0") as served:
        command = [str(kserve), script, served.url, served.grpc, NAME]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_runtime_and_the_service_belong_together() -> None:
    [form] = RUNTIME["spec"]["supportedModelFormats"]
    model = SERVICE["spec"]["predictor"]["model"]
    assert model["modelFormat"]["name"] == form["name"]
    assert model["protocolVersion"] in RUNTIME["spec"]["protocolVersions"]
    assert CONTAINER["name"] == "kserve-container"
