"""The service with the native library's readers and writers, and without."""

from __future__ import annotations

import pytest

from service.api import desk, request_turn, stream, websocket
from service.backend.requests import can_read
from service.backend.responses import can_write


@pytest.fixture(params=[True, False], ids=["library", "python"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether it reads and writes, in a service that is started now."""
    if request.param and not (can_read() and can_write()):
        pytest.skip("larnn-kernels is not installed, or older")
    if not request.param:
        for module, name in (
            (request_turn, "can_read"),
            (websocket, "can_read_chunks"),
            (desk, "can_write"),
            (stream, "can_write"),
        ):
            monkeypatch.setattr(module, name, lambda: False)
    return bool(request.param)
