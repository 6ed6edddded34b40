"""`python -m cli` in the project's folder, installed or not: the command larnn."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
for folder in ("service", "export", "cli", "client/src"):
    sys.path.insert(0, str(ROOT / folder))

from larnn_cli.__main__ import main  # noqa: E402

if __name__ == "__main__":
    main()
