"""The licence, what it is joined with, and the terms of what is passed on."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from constraints import third_party
from tests import live

PROJECTS = [live.ROOT / folder for folder in (".", "client", "kernels", "wheels/models")]
TABLE = {
    row[0]: row[1:]
    for row in re.findall(
        r"^\| (\S+) \| (\S+) \| (.+) \| (`.+) \|$", (live.ROOT / "THIRD_PARTY.md").read_text(), re.M
    )
}
ALLOWED = {
    *("0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause"),
    *("BSL-1.0", "CC0-1.0", "ISC", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Zlib"),
}
"""What a project under Apache-2.0 may depend on; MPL-2.0 as long as its files are not changed."""


def is_allowed(expression: str) -> bool:
    """Whether each part of an SPDX expression, or one of its alternatives, is."""
    return all(
        any(licence in ALLOWED for licence in part.strip("()").split(" OR "))
        for part in expression.split(" AND ")
    )


@pytest.mark.parametrize("folder", PROJECTS, ids=lambda path: path.name or "root")
def test_every_package_is_under_the_licence_and_has_its_text(folder: Path) -> None:
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    assert "LICENSE" in project["license-files"]
    assert (folder / "LICENSE").read_bytes() == (live.ROOT / "LICENSE").read_bytes()


def test_the_licence_is_the_apache_licence_word_by_word() -> None:
    another = distribution("googleapis-common-protos").read_text("licenses/LICENSE")
    assert another and (live.ROOT / "LICENSE").read_text().split() == another.split()


def test_the_models_are_passed_on_with_their_notice() -> None:
    notice = (live.ROOT / "NOTICE").read_text()
    assert (live.ROOT / "wheels" / "models" / "NOTICE").read_text() == notice
    for said in ("uPlot 1.6.32", "Any commercial use is prohibited", "CC BY 4.0", "not\ndecided"):
        assert said in notice


def test_the_list_of_packages_is_what_the_command_writes_now() -> None:
    """What is not installed here keeps the licence that is written."""

    def licence(name: str, version: str) -> str:
        try:
            return third_party.installed(name, version)
        except PackageNotFoundError:
            return str(TABLE[name][1])

    written = (live.ROOT / "THIRD_PARTY.md").read_text()
    assert third_party.document(licence) == written, "make third-party"


@pytest.mark.parametrize("name", TABLE)
def test_no_package_has_a_licence_that_this_one_cannot_be_joined_with(name: str) -> None:
    _, licence, extras = TABLE[name]
    nvidia = licence == third_party.PROPRIETARY and extras == "`larnn[serve-gpu]`"
    assert nvidia or is_allowed(licence), licence


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("AGPL-3.0-or-later", False),
        ("SSPL-1.0", False),
        ("unknown", False),
        ("", False),
    ],
)
def test_what_may_not_be_joined_is_found(expression: str, allowed: bool) -> None:
    assert is_allowed(expression) is allowed


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        ({"license_expression": "MIT", "license": "GPL"}, "MIT"),
        ({"classifier": ["License :: OSI Approved :: BSD License"]}, "BSD-3-Clause"),
        ({"license": "Apache 2.0\n\nmore"}, "Apache-2.0"),
        (
            {"classifier": ["License :: OSI Approved :: GNU General Public License v3 (GPLv3)"]},
            "GNU General Public License v3 (GPLv3)",
        ),
        ({}, "unknown"),
    ],
)
def test_a_licence_is_read_from_metadata_of_every_age(
    metadata: dict[str, object], licence: str
) -> None:
    assert third_party.named(metadata) == licence


def test_uplot_is_what_the_page_names_or_is_not_taken(tmp_path: Path) -> None:
    """The command fetches nothing where it is there, and refuses what has another digest."""
    program = live.ROOT / "wheels" / "uplot.py"
    here = tmp_path / "wheels" / "uplot.py"
    web = tmp_path / "service" / "larnn_service" / "web"
    here.parent.mkdir()
    here.write_bytes(program.read_bytes())
    (web / "uplot").mkdir(parents=True)
    source = live.ROOT / "service" / "larnn_service" / "web"
    (web / "index.html").write_bytes((source / "index.html").read_bytes())
    for file in (source / "uplot").iterdir():
        (web / "uplot" / file.name).write_bytes(file.read_bytes())
    command = [sys.executable, str(here)]
    nothing = {"PATH": ""}  # neither npm nor a network is asked
    assert subprocess.run(command, env=nothing).returncode == 0
    assert "MIT License" in (web / "uplot" / "LICENSE").read_text()
    check = [sys.executable, "-c", "import uplot; print(uplot.is_there())"]
    (web / "uplot" / "uPlot.min.css").write_text("other")
    done = subprocess.run(check, cwd=here.parent, capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
