"""A real S3 server for tests: SeaweedFS, on free ports."""

from __future__ import annotations

import contextlib
import random
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

PROGRAM = shutil.which("weed") or shutil.which("weed", path=str(Path(sys.executable).parent))
_PORTS = tuple(
    f"{part}.port{kind}" for part in ("s3", "master", "filer", "volume") for kind in ("", ".grpc")
)
_OFF = ("-s3.port.iceberg=0", "-s3.port.lance=0")
KEYS = {
    "AWS_ACCESS_KEY_ID": "anyone",
    "AWS_SECRET_ACCESS_KEY": "anything",
    "AWS_REGION": "us-east-1",
}


@contextlib.contextmanager
def running(folder: Path) -> Iterator[dict[str, str]]:
    """The variables by which clients reach it, once it has the bucket `models`."""
    assert PROGRAM is not None
    flags = [f"-{name}={port}" for name, port in zip(_PORTS, _free(len(_PORTS)), strict=True)]
    url = f"http://127.0.0.1:{flags[0].partition('=')[2]}"
    command = [PROGRAM, "server", f"-dir={folder}", "-ip=127.0.0.1", "-s3", "-filer", *_OFF, *flags]
    with open(folder / "log", "w") as log, subprocess.Popen(command, stderr=log, stdout=log) as it:
        try:
            _make_bucket(f"{url}/models", it)
            yield KEYS | {"AWS_ENDPOINT_URL": url}
        finally:
            it.kill()  # a graceful end takes it half a minute


def _free(count: int) -> list[int]:
    """Ports below those that the system gives to others meanwhile."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(10_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as own:
            own.bind(("127.0.0.1", port))
            found.append(port)
    return found


def _make_bucket(url: str, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=60).close()
            break
        time.sleep(0.05)
    assert server.poll() is None, "the S3 server did not come up"
