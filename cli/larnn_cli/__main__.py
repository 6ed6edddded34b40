"""`python -m larnn_cli` is `larnn`."""

from __future__ import annotations

from larnn_cli import main

if __name__ == "__main__":
    main()
