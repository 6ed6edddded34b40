"""The gateways of deploy/ for real, in front of replicas on this machine."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.server import free_port
from tests import live
from tests.until import until

Change = tuple[str, str]
"""What stands in the file, and what stands there in its place."""


@dataclass(frozen=True)
class Gateway:
    """A program, and its file in deploy/."""

    file: str
    program: str | None
    arguments: Callable[[Path], list[str]]
    here: Callable[[int, Sequence[str], Path], list[Change]]
    """The changes for this port, these replicas as host:port, and a folder for what it writes."""


def _nginx(port: int, replicas: Sequence[str], folder: Path) -> list[Change]:
    # As where names are resolved: each request tries every replica. A failed one that nginx took
    # note of would get one websocket each fail_timeout until the first of them ends.
    servers = "".join(f"server {host} max_fails=0;\n" for host in replicas)
    return [
        ("resolver 127.0.0.11 valid=2s;", f"upstream replicas {{\n{servers}}}"),
        ("set $replicas replica:8000;", ""),
        ("proxy_pass http://$replicas;", "proxy_pass http://replicas;"),
        ("listen 8080;", f"listen 127.0.0.1:{port};"),
        ("/tmp/", f"{folder}/"),
        ("error_log stderr", f"error_log {folder}/nginx.log"),
    ]


def _haproxy(port: int, replicas: Sequence[str], _: Path) -> list[Change]:
    named = "".join(f"  server replica{n} replica{n}:8000\n" for n in (1, 2))
    here = "".join(f"  server replica{n} {host}\n" for n, host in enumerate(replicas, 1))
    return [("bind :8080", f"bind 127.0.0.1:{port}"), (named, here)]


def _envoy(port: int, replicas: Sequence[str], _: Path) -> list[Change]:
    line = "- endpoint: {{address: {{socket_address: {{address: {}, port_value: {}}}}}}}"
    between = "\n" + 14 * " "
    named = between.join(line.format(f"replica{n}", 8000) for n in (1, 2))
    here = between.join(line.format(*host.split(":")) for host in replicas)
    listens = "{{address: {}, port_value: {}}}"
    return [
        (listens.format("0.0.0.0", 8080), listens.format("127.0.0.1", port)),
        (named, here),
    ]


def _installed(name: str) -> str | None:
    """In this environment, where a package of PyPI has it, or on the machine."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)


GATEWAYS = {
    "nginx": Gateway(
        "nginx.conf",
        _installed("nginx"),
        lambda file: ["-c", str(file), "-e", "stderr", "-g", "daemon off;"],
        _nginx,
    ),
    "haproxy": Gateway("haproxy.cfg", _installed("haproxy"), lambda f: ["-f", str(f)], _haproxy),
    "envoy": Gateway(
        "envoy.yaml",
        _installed("envoy"),
        lambda f: ["-c", str(f), "-l", "error", "--concurrency", "1", "--disable-hot-restart"],
        _envoy,
    ),
}
PROGRAM = GATEWAYS["nginx"].program


@contextlib.contextmanager
def running(
    folder: Path, replicas: Sequence[str], name: str = "nginx", also: Sequence[Change] = ()
) -> Iterator[str]:
    """The gateway's base URL, once a replica answers through it.

    `replicas`: their base URLs. `also`: changes of its file beyond those for this machine.
    """
    gateway = GATEWAYS[name]
    assert gateway.program is not None
    port = free_port()
    text = (live.ROOT / "deploy" / gateway.file).read_text()
    hosts = [url.removeprefix("http://") for url in replicas]
    for composed, here in [*gateway.here(port, hosts, folder), *also]:
        assert composed in text, composed
        text = text.replace(composed, here)
    file = folder / gateway.file
    file.write_text(text)
    popen = subprocess.Popen([gateway.program, *gateway.arguments(file)])
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert popen.poll() is None, f"{name} has ended"
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{url}/readyz").status_code == 200
        return False

    try:
        until(answers, f"{name} did not come up")
        yield url
    finally:
        popen.terminate()
        popen.wait(60)
