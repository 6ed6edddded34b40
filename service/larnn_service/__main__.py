"""python -m service: run the service; drain it on SIGTERM, reload its models and its
certificate on SIGHUP.

`python -m service keys NAME` makes a key; `python -m service phone` serves a phone nearby.
"""

from __future__ import annotations

import sys

from larnn_service.process import workers
from larnn_service.process.ending import leaving_threads_behind
from larnn_service.process.startup import read_settings, refusals


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
        worker = workers.started(settings) if workers.wanted(settings) else None
        from larnn_service.process.server import (
            prepare,  # heavy: the parent of workers does without
        )

        if worker is None:
            return prepare(settings).run()
        server, sockets = prepare(worker.settings), worker.sockets()
        server.when_ready = worker.tell_listening
        worker.wait_for_the_others()
        server.run(sockets=sockets)


if __name__ == "__main__":
    main()
