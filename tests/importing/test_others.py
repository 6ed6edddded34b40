"""The table of docs/import.md: networks of others, each imported from its package or refused."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.command import start
from tests.docs import page
from tests.importing.released import package

pytestmark = pytest.mark.deploy

PAGE = page.read("import.md")
ROWS = re.findall(
    r"^\| (.+?) \| `(\S+)==(\S+)` \| `(\S+)` \| (?:`(.+?)`)? ?\| (.+?) \|$", PAGE, re.M
)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packages")


def test_there_are_twelve_at_least_and_ten_are_imported() -> None:
    assert len(ROWS) >= 12
    assert sum(row[-1].startswith(("together", "alone")) for row in ROWS) >= 10


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_network_is_imported_as_the_table_says(
    row: tuple[str, ...], packages: Path, tmp_path: Path
) -> None:
    _, name, version, path, options, expected = row
    file = package(name, version, packages) / path
    arguments = ["--name", "it", "--models", str(tmp_path), *shlex.split(options)]
    with start("import", file, *arguments) as process:
        out, err = process.communicate(timeout=600)
    if not expected.startswith(("together", "alone")):
        assert process.returncode == 2 and expected in err, err
        return
    rows, steps = expected.split(", ")
    assert process.returncode == 0, err
    assert f"rows {rows}, steps {steps}: over 61 steps of normal noise" in out
    [differs] = re.findall(r"file's by (\S+),", out)
    assert float(differs) <= (0 if rows == "alone" else 1e-6)
