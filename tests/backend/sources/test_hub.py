"""hf:// by the Hub's own client, from a server on this machine that answers as the Hub does."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from larnn_service.backend.sources.factory import open_cache
from tests import live, tools, toy
from tests.backend.sources.test_served import answers

REVISION = "0" * 40


class Repository(BaseHTTPRequestHandler):
    """The three answers that listing and fetching take: about the repository, its tree, a file."""

    root: Path
    asked: threading.Event
    """Set by a request that is not answered before `answers` is."""
    answers: threading.Event

    def do_GET(self) -> None:
        if not self.answers.is_set():
            self.asked.set()
            self.answers.wait()
        path = self.path.partition("?")[0]
        if path.startswith("/api/models/owner/name/tree/"):
            return self._tell([self._entry(each) for each in sorted(self.root.rglob("*"))])
        if path.startswith("/api/models/owner/name"):
            return self._tell({"id": "owner/name", "sha": REVISION, "siblings": []})
        self._send((self.root / re.sub("^.*/resolve/[^/]+/", "", path)).read_bytes())

    do_HEAD = do_POST = do_GET  # noqa: N815

    def _entry(self, path: Path) -> dict[str, Any]:
        name = str(path.relative_to(self.root))
        if path.is_dir():
            return {"type": "directory", "path": name, "oid": "0", "size": 0}
        data = path.read_bytes()
        digest = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        return {"type": "file", "path": name, "oid": digest, "size": len(data)}

    def _tell(self, value: Any) -> None:
        self._send(json.dumps(value).encode(), "application/json")

    def _send(self, data: bytes, kind: str = "application/octet-stream") -> None:
        self.send_response(200)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(data))),
            ("X-Repo-Commit", REVISION),
            ("ETag", f'"{hashlib.sha256(data).hexdigest()}"'),
        ):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Repository]]:
    """It has toy/1."""
    tools.package("huggingface_hub")
    toy.publish(tmp_path / "made")

    class Here(Repository):
        root = tmp_path / "made"
        asked, answers = threading.Event(), threading.Event()

    Here.answers.set()
    with ThreadingHTTPServer(("127.0.0.1", 0), Here) as server:
        threading.Thread(target=server.serve_forever).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
        yield Here
        Here.answers.set()
        server.shutdown()


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    return {"models": "hf://owner/name", "models_cache": tmp_path / "cache"}


def test_a_repository_of_the_hub_is_served(
    hub: type[Repository], tmp_path: Path, settings: dict[str, Any]
) -> None:
    with live.process(**settings) as service:
        assert answers(service.url) == 1
        toy.publish(tmp_path / "made", version=2)
        assert httpx.post(f"{service.url}/models/toy/load", timeout=60).is_success
        assert answers(service.url) == 2


def test_it_ends_while_it_fetches_at_its_start(
    hub: type[Repository], settings: dict[str, Any]
) -> None:
    hub.answers.clear()
    variables = os.environ | live.environment(port=0, **settings)
    with subprocess.Popen([sys.executable, "-m", "service"], env=variables, cwd=live.ROOT) as popen:
        assert hub.asked.wait(60)
        popen.terminate()
        assert popen.wait(60) == 0


def test_a_hub_that_hangs_keeps_nothing_from_its_start_or_its_end(
    hub: type[Repository], tmp_path: Path, settings: dict[str, Any]
) -> None:
    """What was fetched before serves."""
    open_cache("hf://owner/name", tmp_path / "cache", 2**20).refresh(first=True)
    hub.answers.clear()
    with live.process(fetch_timeout=1, models_poll=0.1, **settings) as service:
        assert any("LARNN_FETCH_TIMEOUT" in line for line in service.log)
        assert answers(service.url) == 1
        assert service.stop() == 0
