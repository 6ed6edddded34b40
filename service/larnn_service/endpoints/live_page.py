"""GET /, /docs and /web/…: the pages, their recordings, and uPlot, which draws the charts."""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import re
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from larnn_service.admission.gate import PAGE

logger = logging.getLogger(__name__)

FILES = Path(__file__).parent.parent / "web"
_INDEX = (FILES / "index.html").read_text()


def _digest(script: str) -> str:
    """A policy's word for this inline script and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


_MODULES = re.findall(r'<script type="importmap">(.*?)</script>', _INDEX, re.S)
"""Where the page's modules find the client library: the one inline script."""
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; script-src 'self' {' '.join(map(_digest, _MODULES))}; "
        "style-src 'self'; connect-src 'self'; "
        "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "accelerometer=(self), gyroscope=(self), camera=(), microphone=(self)",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",  # asks whether it changed: a page and its modules fit each other
}
UPLOT = FILES / "uplot"
"""In every wheel; `wheels/uplot.py` puts it into the project's folder."""


def add_pages(app: FastAPI) -> None:
    """The live page at /, that of the endpoints at /docs."""
    if not UPLOT.is_dir():
        logger.warning("the live page has no charts: python wheels/uplot.py gets what draws them")
    files = _Files(directory=FILES, follow_symlink=True)  # web/client leads to the sources

    def page(path: str, name: str) -> Route:
        async def get(request: Request) -> Response:
            return await files.get_response(name, request.scope)

        return Route(path, get, include_in_schema=False)

    app.router.routes += [
        page("/", "index.html"),
        page("/docs", "docs.html"),
        Mount(PAGE, files),
    ]


class _Files(StaticFiles):
    """Static files that load nothing from elsewhere and are framed by nobody."""

    def file_response(
        self, full_path: Any, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(HEADERS)
        return response
