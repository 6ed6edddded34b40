"""Where runs are done: in the event loop for one client, in threads where others might wait."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from larnn_service.backend.onnx_backend import OnnxBackend
from larnn_service.engine.batching import batcher, inline_policy
from tests import live

HOUR = 3600.0
BODY = {"sequences": [[[1, 2]]]}


@pytest.fixture(autouse=True)
def threads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of those that ran, where no run is short enough for the loop of itself."""
    names: list[str] = []
    advance = OnnxBackend.advance

    def noted(*arguments: Any) -> Any:
        names.append(threading.current_thread().name)
        return advance(*arguments)

    monkeypatch.setattr(OnnxBackend, "advance", noted)
    monkeypatch.setattr(batcher, "LONGEST", HOUR)
    monkeypatch.setattr(inline_policy, "HANDED_OVER", 0)
    monkeypatch.setattr(inline_policy, "HANDED_ROW", 0)
    return names


@pytest.mark.parametrize("more", [{}, {"grpc_port": 0}], ids=["http", "grpc"])
def test_a_client_alone_is_served_by_the_loop(
    toy_models: Path, threads: list[str], more: dict[str, Any]
) -> None:
    with (
        live.running(models=toy_models, model="toy", **more) as url,
        httpx.Client(base_url=url, timeout=60) as one,
        contextlib.ExitStack() as others,
    ):
        other = others.enter_context(httpx.Client(base_url=url, timeout=60))

        def runs() -> list[bool]:
            """Of two requests, the second of which is known, whether they are in a thread."""
            threads.clear()
            for _ in range(2):
                assert one.post("/classify", json=BODY).status_code == 200
            return [name.startswith("run-") for name in threads]

        assert runs()[1] is bool(more)
        assert other.get("/healthz").status_code == 200
        assert runs() == [True, True]
        others.close()
        assert one.get("/healthz").status_code == 200
        assert more or any(not runs()[1] for _ in range(1_000)), "it is alone again"
