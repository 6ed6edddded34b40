"""python -m service: run the service; drain it on SIGTERM, reload its models on SIGHUP."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator

from pydantic import ValidationError
from pydantic_settings import CliApp

from service import workers
from service.errors import StartupError
from service.ports import listen
from service.settings import Settings


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGTERM. `arguments` are settings as flags, the process's own by default."""
    flags = sys.argv[1:] if arguments is None else arguments
    with refusals():
        settings = CliApp.run(Settings, cli_args=flags)
        worker = workers.started(settings) if workers.wanted(settings) else None
        from service.server import prepare  # heavy: the parent of workers does without

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
