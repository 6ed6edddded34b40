"""The service under Ray Serve: `serve run examples.ray_serve:app` in the project's folder.

Each replica is the whole ASGI application: windows over HTTP, streams over websockets. Replicas
share a store, so that a stream goes on at any of them; LARNN_… variables name it and all else. Ray
starts and stops replicas by what each has open: requests, and a live stream is one of them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from ray import serve
from ray.serve.config import AutoscalingConfig

ROOT = Path(__file__).resolve().parent.parent
FEWEST = int(os.environ.get("REPLICAS", "1"))
MOST = int(os.environ.get("MOST_REPLICAS", str(FEWEST)))
STREAMS = int(os.environ.get("STREAMS_A_REPLICA", "200"))
"""Websockets and requests a replica, from which on there shall be another."""
sys.path.insert(0, str(ROOT / "service"))


def application() -> Any:
    """The service of a replica; called in its process."""
    sys.path.insert(0, str(ROOT / "service"))
    from larnn_service.asgi import app

    return app


@serve.deployment(
    autoscaling_config=AutoscalingConfig(
        min_replicas=FEWEST,
        initial_replicas=FEWEST,
        max_replicas=MOST,
        target_ongoing_requests=STREAMS,
        upscale_delay_s=5,
        downscale_delay_s=600,
    ),
    max_ongoing_requests=5 * STREAMS,
    graceful_shutdown_timeout_s=30,
)
@serve.ingress(application)
class Larnn:
    """Ray's proxy hands every request and websocket to one of the replicas."""


app = Larnn.bind()  # type: ignore[attr-defined]
