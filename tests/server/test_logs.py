"""LARNN_LOG_FORMAT=json: what stands in the log of a running process, and what does not."""

from __future__ import annotations

import json
import logging
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import connect

from larnn_service.telemetry.logs import JsonLines
from larnn_service.telemetry.tags import tag
from tests import live, toy
from tests.server.test_access import KEYS, PHONE, bearer
from tests.server.test_stream import Talk


def test_lines_name_request_door_model_and_stream(tmp_path: Path) -> None:
    toy.publish(tmp_path)
    told = {"log_level": "debug", "log_format": "json", "api_keys": KEYS, "secret": "pssst"}
    with live.process(models=tmp_path, model="toy", **told) as service:
        assert service.popen.stderr is not None
        lines: list[str] = []
        reader = threading.Thread(target=lines.extend, args=(service.popen.stderr,))
        reader.start()
        headers = bearer(PHONE) | {"X-Request-Id": "mine-1"}
        opened = httpx.post(f"{service.url}/streams", headers=headers, timeout=60)
        assert opened.headers["x-request-id"] == "mine-1"
        stream = opened.json()["stream"]
        chunk = {"offset": 0, "steps": [[1, 2]]}
        steps = f"{service.url}/streams/{stream}/steps"
        httpx.post(steps, headers=bearer(PHONE), json=chunk, timeout=60)
        refused = httpx.get(f"{service.url}/models", timeout=60)
        url = live.websocket_url(service.url)
        with connect(f"{url}?stream={stream}", additional_headers=bearer(PHONE)) as socket:
            Talk(socket).hear()
        service.stop()
        reader.join()
    text = "".join(lines)
    for secret in (stream, PHONE, "pssst"):
        assert secret not in text
    logged = [json.loads(line) for line in lines]
    assert {"time", "level", "logger", "message"} <= logged[0].keys()

    def of(door: str) -> dict[str, Any]:
        return next(line for line in logged if line.get("door") == door)

    assert of("/streams")["request"] == "mine-1"
    advanced = of("/streams/{stream_id}/steps")
    assert (advanced["model"], advanced["version"], advanced["stream"]) == ("toy", 1, tag(stream))
    assert of("/stream")["stream"] == tag(stream)
    assert any(line.get("request") == refused.headers["x-request-id"] for line in logged)


def test_a_request_id_is_the_callers_only_where_it_is_decent(client: httpx.Client) -> None:
    for given in ("a b", "x" * 65, "é".encode().decode("latin-1"), '"'):
        answer = client.get("/nowhere", headers=[(b"X-Request-Id", given.encode("latin-1"))])
        assert answer.headers["x-request-id"] != given
    assert "x-request-id" not in client.get("/healthz").headers


def test_an_exception_is_one_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.LogRecord("n", logging.ERROR, "f", 1, "it %s", ("failed",), sys.exc_info())
    line = JsonLines().format(record)
    assert "\n" not in line
    assert json.loads(line)["message"] == "it failed"
    assert "ValueError: two\nlines" in json.loads(line)["exception"]
