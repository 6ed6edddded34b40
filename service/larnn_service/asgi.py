"""`larnn_service.asgi:app`, for servers that import one; its settings are the environment's."""

from __future__ import annotations

from larnn_service.app import create_app
from larnn_service.process.startup import read_settings

app = create_app(read_settings([]))
