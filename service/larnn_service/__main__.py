"""python -m service: run the service; drain it on SIGTERM, reload its models and its
certificate on SIGHUP.

`python -m service keys NAME` makes a key; `python -m service phone` serves a phone nearby.
"""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

from larnn_service.errors import StartupError
from larnn_service.process.ending import leaving_threads_behind
from larnn_service.process.startup import read_settings, refusals

if TYPE_CHECKING:
    from larnn_service.process.workers import Worker
    from larnn_service.settings import Settings


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGTERM. `arguments` are settings as flags, the process's own by default."""
    flags = sys.argv[1:] if arguments is None else arguments
    if flags[:1] == ["keys"]:
        from larnn_service.admission import keys

        sys.exit(keys.main(flags[1:]))
    if flags[:1] == ["phone"]:
        from larnn_service.process import phone

        return phone.main(flags[1:])
    with refusals():
        settings = read_settings(flags)
    with leaving_threads_behind(), refusals():
        worker = _worker(settings)
        from larnn_service.process.server import (
            prepare,  # heavy: the parent of workers does without
        )

        if worker is None:
            return prepare(settings).run()
        server, sockets = prepare(worker.settings), worker.sockets()
        server.when_ready = worker.tell_listening
        worker.wait_for_the_others()
        server.run(sockets=sockets)


def _worker(settings: Settings) -> Worker | None:
    """What this process is of several; None where it is the only one. Raises StartupError."""
    if settings.workers == 1 and settings.worker_port is None:
        return None
    if not hasattr(signal, "sigtimedwait"):
        raise StartupError("LARNN_WORKERS is for Linux: start one process here")
    from larnn_service.process import workers

    return workers.started(settings)


if __name__ == "__main__":
    main()
