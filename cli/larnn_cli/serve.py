"""`larnn serve`: the service."""

from __future__ import annotations

import typer


def serve(context: typer.Context) -> None:
    """Serve the models on http://127.0.0.1:8000; --help lists every setting."""
    from larnn_service.__main__ import main

    main(context.args)
