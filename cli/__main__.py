"""`python -m cli` is `larnn`."""

from __future__ import annotations

from cli import main

main()
