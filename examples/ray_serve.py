"""The service under Ray Serve: `serve run examples.ray_serve:app` in the project's folder.

Each replica is the whole ASGI application: windows over HTTP, streams over websockets. Replicas
share a store, so that a stream goes on at any of them; LARNN_… variables name it and all else.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from ray import serve

ROOT = Path(__file__).resolve().parent.parent
REPLICAS = int(os.environ.get("REPLICAS", "1"))
sys.path.insert(0, str(ROOT / "service"))


def application() -> Any:
    """The service of a replica; called in its process."""
    sys.path.insert(0, str(ROOT / "service"))
    from larnn_service.app import create_app
    from larnn_service.settings import Settings

    return create_app(Settings())


@serve.deployment(num_replicas=REPLICAS, max_ongoing_requests=1_000)
@serve.ingress(application)
class Larnn:
    """Ray's proxy hands every request and websocket to one of the replicas."""


app = Larnn.bind()  # type: ignore[attr-defined]
