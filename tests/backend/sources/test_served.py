"""A service whose models are in a bucket, as a process: it starts from there, follows what is put
there, and goes on without it."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests import live, toy
from tests.backend.sources.conftest import Folder
from tests.until import until


def answers(url: str) -> int:
    """The version that a request gets which names none."""
    body = {"sequences": [[[1, 2]]]}
    version: int = httpx.post(f"{url}/classify", json=body, timeout=60).json()["version"]
    return version


def test_a_bucket_is_served_and_followed(there: Folder, tmp_path: Path) -> None:
    for version in (1, 2):
        toy.publish(tmp_path / "made", version=version)
    there.put(tmp_path / "made/toy/1", "toy/1")
    settings = {"models": there.address, "models_cache": tmp_path / "cache"}
    with live.process(models_poll=0.2, **settings) as service:
        assert answers(service.url) == 1
        there.put(tmp_path / "made/toy/2", "toy/2")
        until(lambda: answers(service.url) == 2, "the new version was not found")
        assert service.stop() == 0
    with live.process(**settings) as service:
        for name in ("model.json", "model.onnx"):
            there.remove(f"toy/2/{name}")
        assert httpx.post(f"{service.url}/models/toy/load", timeout=60).is_success
        assert answers(service.url) == 2, "streams may rest on it until the next start"


def test_it_starts_without_a_source_that_is_away(there: Folder, tmp_path: Path) -> None:
    there.put(toy.publish(tmp_path / "made"), "toy/1")
    settings = {"models": there.address, "models_cache": tmp_path / "cache"}
    with live.process(**settings) as service:
        assert service.stop() == 0
    for name in ("model.json", "model.onnx"):
        there.remove(f"toy/1/{name}")
    with live.process(**settings) as service:
        assert answers(service.url) == 1
        assert any("what was fetched before serves" in line for line in service.log)
        failed = httpx.post(f"{service.url}/models/toy/load", timeout=60).json()
        assert (failed["code"], there.address in failed["detail"]) == ("bad_model", True)
