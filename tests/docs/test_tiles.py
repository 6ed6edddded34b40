"""docs/tiles.md and the reading order of kernels/README.md name the files that there are."""

from __future__ import annotations

import re

from tests import live
from tests.docs import page

KERNELS = live.ROOT / "kernels"
README = (KERNELS / "README.md").read_text()
TILES = page.read("tiles.md")


def test_the_reading_order_has_every_file_once() -> None:
    named = re.findall(r"`((?:src|tests)/[\w.]+)`", README)
    there = [
        f"{folder}/{file.name}"
        for folder in ("src", "tests")
        for file in (KERNELS / folder).iterdir()
        if file.suffix in (".h", ".cpp")
    ]
    assert sorted(named) == sorted(there)


def test_the_page_names_functions_and_constants_of_the_files_beside_them() -> None:
    for name, file in re.findall(r"`(\w+)`\s+in\s+`(kernels/[\w./]+)`", TILES):
        assert re.search(rf"\b{name}\b", (live.ROOT / file).read_text()), (name, file)
    for file in re.findall(r"`(kernels/[\w./]+)`", TILES):
        assert (live.ROOT / file).is_file(), file


def test_the_picture_is_there() -> None:
    [picture] = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", TILES)
    assert (page.DOCS / picture).read_text().startswith("<svg")
