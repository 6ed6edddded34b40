"""python -m service phone: the service for a phone nearby, by https, and its address as a QR code.

Browsers give a phone's sensors to https pages only. The certificate is made for this machine's
address and for this run, and so is a key, where none is set: it stands in the address behind #,
which browsers keep to themselves. Flags are those of `python -m service`.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from larnn_service.admission.keys import new_key
from larnn_service.errors import StartupError
from larnn_service.process.ending import leaving_threads_behind
from larnn_service.process.server import prepare
from larnn_service.process.sockets import bound
from larnn_service.process.startup import read_settings, refusals

PORT = 8443
LIFETIME = timedelta(days=7)
PACKAGES = ("trustme", "segno")
"""Beside the service's own, and imported where they are used."""
_OUTSIDE = ("192.0.2.1", 9)  # reserved for documentation: nothing is sent there


def main(arguments: list[str]) -> None:
    """Serve by https until SIGTERM; `arguments` are settings as flags."""
    with (
        leaving_threads_behind(),
        refusals(),
        TemporaryDirectory(prefix="larnn-") as folder,
    ):
        check_packages()
        settings = read_settings(arguments)
        host = settings.host if "host" in settings.model_fields_set else own_address()
        port = settings.port if "port" in settings.model_fields_set else PORT
        changes: dict[str, object] = {"host": host, "port": port, "workers": 1}
        changes |= dict(zip(("tls_cert", "tls_key"), certificate(host, Path(folder)), strict=True))
        place = ""
        if not settings.api_keys:
            key, changes["api_keys"] = new_key("phone")
            place = f"#key={key}"
        server = prepare(settings.model_copy(update=changes))
        listener = bound(host, port, shared=False)
        address = f"https://{_in_address(host)}:{listener.getsockname()[1]}/{place}"
        server.when_ready = partial(show, address)
        server.run(sockets=[listener])


def check_packages() -> None:
    """Raises StartupError where what this command needs beside the service is not installed."""
    if missing := [each for each in PACKAGES if find_spec(each) is None]:
        raise StartupError(
            f"{missing[0]} is not installed: make phone, or pip install segno trustme"
        )


def own_address() -> str:
    """The address of this machine on its network. Raises StartupError where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_OUTSIDE)
        except OSError:
            raise StartupError("this machine is on no network; say --host ADDRESS") from None
        return str(probe.getsockname()[0])


def certificate(host: str, folder: Path) -> tuple[Path, Path]:
    """A certificate for this address, of an authority that nobody knows, and its private key."""
    import trustme

    issued = trustme.CA().issue_cert(host, not_after=datetime.now(UTC) + LIFETIME)
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    key.touch(0o600)
    key.write_bytes(issued.private_key_pem.bytes())
    return chain, key


def show(address: str) -> None:
    """The address, and a picture of it for the phone's camera."""
    import segno

    segno.make(address, error="l").terminal(compact=True)
    sys.stdout.write(
        f"\n{address}\n\nThe phone will warn of a certificate that it does not know: this machine "
        "made it just now.\nWhoever has the address has the key.\n\n"
    )
    sys.stdout.flush()


def _in_address(host: str) -> str:
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host
