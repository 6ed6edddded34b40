"""Print the packages that pyproject.toml names: python constraints/needs.py [extra or group]…

The project runs from its tree, so installing what it needs takes no build.
"""

import sys
from pathlib import Path

if sys.version_info < (3, 11):
    sys.exit("needs Python 3.11 or newer: make PYTHON=python3.12 …")

import tomllib

if __name__ == "__main__":
    house = tomllib.loads(Path("pyproject.toml").read_text())
    by_name = house["project"]["optional-dependencies"] | house["dependency-groups"]
    needs = house["project"]["dependencies"] + [n for name in sys.argv[1:] for n in by_name[name]]
    print(*needs, sep="\n")
