"""The service for one command: in this process, on a free port of this machine."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """Its address, until the block ends. LARNN_MODELS and the like hold, and no key is asked for.

    Raises StartupError.
    """
    from larnn_service.process.server import Server
    from larnn_service.settings import Settings

    with socket.create_server(("127.0.0.1", 0)) as listener:  # who comes early waits in its queue
        settings = Settings(store="memory", workers=1, tls_cert=None, tls_key=None)
        server = Server(settings.model_copy(update={"api_keys": "", "operators": ""}))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.stop_from_elsewhere()
            thread.join()
