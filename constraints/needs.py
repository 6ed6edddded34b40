"""Print the packages that pyproject.toml names: python constraints/needs.py [extra or group]…

`larnn` names what the command line needs. The project runs from its tree, so installing what it
needs takes no build, and its own packages are left out.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

if sys.version_info < (3, 11):
    sys.exit("needs Python 3.11 or newer: make PYTHON=python3.12 …")

import tomllib


def needs(house: dict, section: str) -> Iterator[str]:
    """The requirements of a section, and of those that it names as larnn[section,…]."""
    project = house["project"]
    by_name = project["optional-dependencies"] | house["dependency-groups"]
    for need in (by_name | {"larnn": project["dependencies"]})[section]:
        if more := re.fullmatch(r"larnn\[(.+)\]", need):
            for name in more[1].split(","):
                yield from needs(house, name)
        elif not need.startswith("larnn"):
            yield need


if __name__ == "__main__":
    house = tomllib.loads(Path("pyproject.toml").read_text())
    print(*dict.fromkeys(need for name in sys.argv[1:] for need in needs(house, name)), sep="\n")
