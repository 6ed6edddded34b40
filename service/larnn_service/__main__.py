"""python -m service: run the service; drain it on SIGTERM, reload its models on SIGHUP.

`python -m service keys NAME` makes a key; `python -m service phone` serves a phone nearby.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator

from pydantic import ValidationError
from pydantic_settings import CliApp

from larnn_service.errors import StartupError
from larnn_service.process import workers
from larnn_service.process.ending import leaving_threads_behind
from larnn_service.process.sockets import listen
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
        settings = CliApp.run(Settings, cli_args=flags)
    with leaving_threads_behind(), refusals():
        worker = workers.started(settings) if workers.wanted(settings) else None
        from larnn_service.process.server import (
            prepare,  # heavy: the parent of workers does without
        )

        if worker is None:
            return prepare(settings).run()
        server, sockets = prepare(worker.settings), worker.sockets()
        server.when_ready = worker.tell_listening
        worker.wait_for_the_others()
        listen(sockets)
        server.run(sockets=sockets)


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Says why the service does not start, and ends quietly on a signal."""
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises them again once it has drained
        signal.signal(number, lambda *_: sys.exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the folder's models have been loaded
    try:
        yield
    except (StartupError, ValidationError) as error:
        sys.exit(f"the service does not start: {error}")


if __name__ == "__main__":
    main()
