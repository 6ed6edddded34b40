"""Every measuring command that a page names exists, with its arguments."""

from __future__ import annotations

import pytest

from tests.docs import commands, page

COMMANDS = [
    (file.stem, *found)
    for file in sorted(page.DOCS.rglob("*.md"))
    for found in commands.NAMED.findall(file.read_text())
]


@pytest.mark.parametrize(("name", "package", "arguments"), COMMANDS)
def test_a_page_s_command_is_taken(name: str, package: str, arguments: str) -> None:
    commands.parse(package, arguments)
