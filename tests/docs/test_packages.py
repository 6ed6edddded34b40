"""docs/packages.md: its commands are those of the README, and it names every extra and size."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests import live
from tests.docs import page
from tests.packages import wheels

PAGE = page.read("packages.md")
INSTALL = f'pip install "dist/larnn-{wheels.VERSION}-py3-none-any.whl[serve]" dist/larnn_*-any.whl'
EXTRAS = tomllib.loads((live.ROOT / "pyproject.toml").read_text())["project"][
    "optional-dependencies"
]


@pytest.mark.parametrize("text", [PAGE, (live.ROOT / "README.md").read_text()])
def test_the_two_lines_that_install_and_serve(text: str) -> None:
    assert f"\n{INSTALL}\nlarnn serve\n" in text


def test_every_extra_is_told_and_no_other() -> None:
    assert set(re.findall(r"larnn\[([\w-]+)\]", PAGE)) == set(EXTRAS)


def test_every_target_and_file_that_it_names_exists() -> None:
    makefile = (live.ROOT / "Makefile").read_text()
    for target in re.findall(r"^make ([\w-]+)", PAGE, re.M):
        assert re.search(rf"^{target}:", makefile, re.M), target
    for path in re.findall(r"`((?:tests|wheels|constraints)/[\w./]*)`", PAGE):
        assert (live.ROOT / path).exists(), path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return wheels.build(tmp_path_factory.mktemp("wheels"))


def test_the_wheels_are_as_large_as_it_says(built: dict[str, Path]) -> None:
    told = dict(re.findall(r"^\| `(larnn[\w-]*)` \| .+ \| ([\d.]+ [kM]B) \|$", PAGE, re.M))
    assert {name.replace("-", "_") for name in told} == set(built)
    for name, size in told.items():
        number, unit = size.split()
        bytes_told = float(number) * {"kB": 1e3, "MB": 1e6}[unit]
        assert built[name.replace("-", "_")].stat().st_size == pytest.approx(bytes_told, rel=0.2)


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "CHANGELOG.md", "THIRD_PARTY.md"])
def test_the_pages_beside_the_readme_lead_somewhere(name: str) -> None:
    text = (live.ROOT / name).read_text()
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (live.ROOT / target).exists(), target
    for path in re.findall(r"`((?:tests|client|wheels|service|models|docs)/[\w./]*)`", text):
        assert (live.ROOT / path).exists(), path


def test_they_are_found() -> None:
    readme = (live.ROOT / "README.md").read_text()
    for name in ("CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "NOTICE", "docs/packages.md"):
        assert f"({name})" in readme, name
