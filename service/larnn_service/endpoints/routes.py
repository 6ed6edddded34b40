"""Which endpoint a path leads to, of those that are reached before the framework."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from larnn_service.endpoints.exchange import Endpoint
from larnn_service.wire.http import Head

_NAME = re.compile(r"\{(\w+)\}")
PREFLIGHT = "OPTIONS"


class Match(NamedTuple):
    """An endpoint, the route that leads to it, and what the path has in the place of its names."""

    endpoint: Endpoint
    route: str
    parameters: dict[str, str]


class Routes:
    """Paths to endpoints."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self.endpoints = endpoints
        self._exact: dict[str, Match] = {}
        self._templates: list[tuple[re.Pattern[str], Endpoint, str]] = []
        for endpoint in endpoints:
            for route in endpoint.routes:
                if "{" not in route:
                    self._exact[route] = Match(endpoint, route, {})
                else:
                    pattern = re.compile(_NAME.sub(r"(?P<\1>[^/]+)", route))
                    self._templates.append((pattern, endpoint, route))

    def match(self, head: Head) -> Match | None:
        """The endpoint for this request; None where the framework answers it, preflights too."""
        if head.method == PREFLIGHT:
            return None
        if (found := self._exact.get(head.path)) is not None:
            return found
        for pattern, endpoint, route in self._templates:
            if (parts := pattern.fullmatch(head.path)) is not None:
                return Match(endpoint, route, parts.groupdict())
        return None
