"""The service with its gRPC port, as a process that many tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tritonclient.grpc as triton

from tests import live
from tests.server.test_access import KEYS


@pytest.fixture(scope="package")
def grpc_process(toy_models: Path) -> Iterator[live.Process]:
    with live.process(
        models=toy_models, model="toy", grpc_port=0, api_keys=KEYS, operators="phone"
    ) as process:
        yield process


@pytest.fixture
def grpc_client(grpc_process: live.Process) -> Iterator[Any]:
    client = triton.InferenceServerClient(grpc_process.grpc)
    yield client
    client.close()
