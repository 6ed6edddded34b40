"""Environment variables that begin as settings do: those of Kubernetes, and names that are none.

For a Service called `larnn`, Kubernetes gives every container LARNN_PORT=tcp://10.0.0.1:8000 and
more.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

PREFIX = "LARNN_"
ELSEWHERE = frozenset(("KEY", "URL", "DATA", "KERNELS_LEVEL"))
"""Names that the command line, training and the native library read."""
_ADDRESS = re.compile(r"(tcp|udp|sctp)://\S+", re.I)


def service_links(variables: Mapping[str, str | None]) -> set[str]:
    """Names of the variables that Kubernetes made of Services, of `variables` by their names."""
    services = {
        name.upper().removesuffix("_PORT")
        for name, value in variables.items()
        if name.upper().endswith("_PORT") and _ADDRESS.fullmatch(value or "")
    }
    parts = tuple(f"{name}_{part}" for name in services for part in ("PORT", "SERVICE_"))
    return {name for name in variables if name.upper().startswith(parts)}


def warnings(variables: Mapping[str, str | None], settings: Collection[str]) -> Iterator[str]:
    """What whoever starts the service should know of its variables. `settings`: names of theirs."""
    links = service_links(variables)
    for name in sorted(variables):
        short = name.upper().removeprefix(PREFIX)
        if short == name.upper() or short in ELSEWHERE:
            continue
        known = short.lower() in settings
        if name in links and known:
            yield (
                f"{name} is Kubernetes' word of a Service, no setting, and is ignored; with "
                "enableServiceLinks: false it is not there"
            )
        elif name not in links and not known:
            yield f"{name} is no setting of this service, and is ignored"
