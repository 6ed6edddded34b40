"""python -m service: run the service under uvicorn, and drain it on SIGTERM."""

from __future__ import annotations

import logging
import signal
import socket
import sys

import uvicorn
from pydantic import ValidationError
from pydantic_settings import CliApp

from service.api import classify
from service.api.shortcut import Shortcut
from service.app import create_app
from service.engine.engine import Engine
from service.errors import StartupError
from service.settings import Settings


class DrainingServer(uvicorn.Server):
    """Lets running work end before the listener closes: streams are told to reconnect."""

    def __init__(self, engine: Engine, settings: Settings, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._engine = engine
        self._drain_timeout = settings.drain_timeout

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._engine.drain(self._drain_timeout)
        await super().shutdown(sockets)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises them again once it has drained
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        settings = CliApp.run(Settings, cli_args=sys.argv[1:])
        logging.basicConfig(
            level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s"
        )
        make_server(settings).run()
    except (StartupError, ValidationError) as error:
        sys.exit(f"the service does not start: {error}")


def make_server(settings: Settings) -> DrainingServer:
    """The service ready to run. Raises StartupError."""
    app = create_app(settings)
    config = uvicorn.Config(
        Shortcut(app, classify.PATH, app.state.classify),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=settings.max_message,
        ws_per_message_deflate=False,
        access_log=False,
        proxy_headers=False,
        log_config=None,
        timeout_graceful_shutdown=int(settings.drain_timeout),
    )
    return DrainingServer(app.state.engine, settings, config)


if __name__ == "__main__":
    main()
