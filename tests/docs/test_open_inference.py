"""docs/open-inference.md: its blocks run, and its tables say all that the code says."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from larnn_service.endpoints.oip.grpc_servicer import SERVICE
from larnn_service.endpoints.oip.grpc_status import STATUS
from tests import live
from tests.docs import page

PAGE = page.read("open-inference.md")
BLOCKS = page.blocks(PAGE)


@pytest.fixture(scope="module")
def service() -> Iterator[live.Process]:
    with live.process(models=live.ROOT / "models", grpc_port=0) as process:
        yield process


def at(service: live.Process, text: str) -> str:
    address = service.url.removeprefix("http://")
    return text.replace("localhost:8000", address).replace("localhost:8001", service.grpc)


def test_the_python_blocks_run_one_after_the_other(service: live.Process) -> None:
    program = "\n".join(block.text for block in BLOCKS if block.language == "python")
    done = subprocess.run(
        [sys.executable, "-c", at(service, program)],
        cwd=live.ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["(1, 60, 6)", "True", "20", "20", "40", "True"]


def test_the_commands_are_answered_as_written(service: live.Process) -> None:
    for block, following in zip(BLOCKS, BLOCKS[1:], strict=False):
        if block.language != "sh":
            continue
        command = ["curl", "-sS", "--fail-with-body", *shlex.split(at(service, block.text))[1:]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        answer = json.loads(done.stdout)
        if following.language == "json":
            assert answer == json.loads(following.text)
        elif "model_stats" in answer:
            [told] = answer["model_stats"]
            assert set(re.findall(r"`(\w+)`", PAGE)) >= told["inference_stats"].keys()
        else:
            assert (answer["id"], answer["outputs"][0]["shape"]) == ("mine", [1, 1, 6])


def test_every_door_is_named(client: httpx.Client) -> None:
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        if not path.startswith("/v2") or "/versions/" in path:
            continue
        for method in methods:
            assert f"`{method.upper()} {path.replace('{name}', 'NAME')}`" in PAGE


def test_every_call_it_names_exists() -> None:
    calls = set(re.findall(r"`((?:Server|Model|Repository)[A-Z]\w+)`", PAGE))
    assert len(calls) == 12
    assert calls <= set(SERVICE.methods_by_name)


@pytest.mark.parametrize("code", STATUS)
def test_every_error_has_its_status_there(code: str) -> None:
    assert f"| `{code}` | `{STATUS[code].name}` |" in PAGE
