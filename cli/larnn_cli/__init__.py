"""`larnn`: serve, ask, make and measure models from the command line."""

from __future__ import annotations

import sys


def main(arguments: list[str] | None = None) -> None:
    """Run the command, the process's own by default, and exit.

    What goes wrong is one line and an exit code of `cli/larnn_cli/failures.py`.
    """
    from larnn_cli.failures import tell

    try:
        from larnn_cli.app import app

        app(args=arguments, prog_name="larnn")
    except Exception as error:
        sys.exit(tell(error))
