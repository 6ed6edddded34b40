"""deploy/nginx.conf under a real nginx, in front of replicas on this machine."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from tests import live, valkey

PROGRAM = shutil.which("nginx")


@contextlib.contextmanager
def running(folder: Path, replicas: Sequence[str], balance: str = "") -> Iterator[str]:
    """The gateway's base URL, once a replica answers through it. `balance`: as an upstream has it,
    such as `least_conn;`."""
    assert PROGRAM is not None
    port = valkey.free_port()
    file = folder / "nginx.conf"
    file.write_text(configuration(port, replicas, folder, balance))
    popen = subprocess.Popen([PROGRAM, "-c", str(file), "-e", "stderr", "-g", "daemon off;"])
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while not _answers(url):
            assert popen.poll() is None and time.monotonic() < deadline, "nginx did not come up"
        yield url
    finally:
        popen.terminate()
        popen.wait(60)


def configuration(port: int, replicas: Sequence[str], folder: Path, balance: str) -> str:
    """deploy/nginx.conf with these base URLs, this port and this folder for what it writes."""
    text = (live.ROOT / "deploy" / "nginx.conf").read_text()
    hosts = [url.removeprefix("http://") for url in replicas]
    # As where names are resolved: each request tries every replica. A failed one that nginx took
    # note of would get one websocket each fail_timeout until the first of them ends.
    servers = "".join(f"server {host} max_fails=0;\n" for host in hosts)
    for composed, here in (
        ("resolver 127.0.0.11 valid=2s;", f"upstream replicas {{\n{balance}{servers}}}"),
        ("set $replicas replica:8000;", ""),
        ("proxy_pass http://$replicas;", "proxy_pass http://replicas;"),
        ("listen 8080;", f"listen 127.0.0.1:{port};"),
        ("/tmp/", f"{folder}/"),
        ("error_log stderr", f"error_log {folder}/nginx.log"),
    ):
        assert composed in text
        text = text.replace(composed, here)
    return text


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False
