"""hf:// by the Hub's own client, from a server on this machine that answers as the Hub does."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import live, tools, toy
from tests.backend.sources.test_served import answers

REVISION = "0" * 40


class Repository(BaseHTTPRequestHandler):
    """The three answers that listing and fetching take: about the repository, its tree, a file."""

    root: Path

    def do_GET(self) -> None:
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
def hub(tmp_path: Path) -> Iterator[str]:
    tools.package("huggingface_hub")
    handler = type("Here", (Repository,), {"root": tmp_path / "made"})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_repository_of_the_hub_is_served(
    hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy.publish(tmp_path / "made")
    monkeypatch.setenv("HF_ENDPOINT", hub)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    settings = {"models": "hf://owner/name", "models_cache": tmp_path / "cache"}
    with live.process(**settings) as service:
        assert answers(service.url) == 1
        toy.publish(tmp_path / "made", version=2)
        assert httpx.post(f"{service.url}/models/toy/load", timeout=60).is_success
        assert answers(service.url) == 2
