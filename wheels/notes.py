"""A release's notes, from the changelog: python wheels/notes.py 0.1.0 > dist/NOTES.md"""

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).parent.parent / "CHANGELOG.md"


def notes(changelog: str, number: str) -> str:
    """What the changelog has under this version; before that is dated, what is not released yet.

    Raises SystemExit where it has neither.
    """
    parts = re.split(r"^## \[(.+?)\].*\n", changelog, flags=re.M)[1:]
    told = dict(zip(parts[::2], parts[1::2], strict=True))
    for head in (number, "Unreleased"):
        if told.get(head, "").strip():
            return f"# LARNN {number}\n\n{told[head].strip()}\n"
    sys.exit(f"CHANGELOG.md tells nothing of {number}")


if __name__ == "__main__":
    sys.stdout.write(notes(CHANGELOG.read_text(), sys.argv[1]))
