"""deploy/nginx.conf under a real nginx, in front of replicas on this machine."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from tests import live, valkey

PROGRAM = shutil.which("nginx")
COMPOSED = re.compile(r"^ *(?:resolver|zone|server replica:8000).*;$\n", re.MULTILINE)
"""What names the replicas as only a compose network can."""


@contextlib.contextmanager
def running(folder: Path, replicas: Sequence[str]) -> Iterator[str]:
    """The gateway's base URL, once a replica answers through it."""
    assert PROGRAM is not None
    port = valkey.free_port()
    file = folder / "nginx.conf"
    file.write_text(configuration(port, replicas, folder))
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


def configuration(port: int, replicas: Sequence[str], folder: Path) -> str:
    """deploy/nginx.conf with these base URLs, this port and this folder for what it writes."""
    text = (live.ROOT / "deploy" / "nginx.conf").read_text()
    text, found = COMPOSED.subn("", text)
    assert found == 3
    servers = "".join(
        f"server {url.removeprefix('http://')} fail_timeout=2s;\n" for url in replicas
    )
    text = text.replace("upstream replicas {\n", "upstream replicas {\n" + servers)
    text = text.replace("listen 8080;", f"listen 127.0.0.1:{port};")
    return text.replace("/tmp/", f"{folder}/")


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False
