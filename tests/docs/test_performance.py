"""The pages show what the result files hold; the commands of docs/performance.md exist."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from benchmarks import page
from benchmarks.__main__ import app
from tests import live

TEXT = page.PAGE.read_text()
COMMAND = r"^(?:\w+=\w+ )?python -m benchmarks ([^#\n]+?) *(?:#.*)?$"
COMMANDS = re.findall(COMMAND, TEXT, re.MULTILINE)


@pytest.mark.parametrize("file", page.PAGES, ids=lambda file: file.name)
def test_the_tables_are_those_of_the_results(file: Path) -> None:
    text = file.read_text()
    assert page.filled(text) == text, "python -m benchmarks page"


def test_a_result_that_names_its_graph_is_of_the_committed_model() -> None:
    named = [
        record
        for file in page.RESULTS.glob("*.json")
        if "graph_sha256" in (record := json.loads(file.read_text()))
    ]
    assert named
    for record in named:
        manifest = json.loads((live.ROOT / "models" / record["model"] / "model.json").read_text())
        command = f"python -m benchmarks {record['command']}"
        assert record["graph_sha256"] == manifest["graph"]["sha256"], command


def test_every_picture_exists() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", TEXT)
    assert pictures
    for picture in pictures:
        assert (page.PAGE.parent / picture).is_file(), picture


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_exists(command: str) -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    name, *rest = shlex.split(command)
    group.commands[name].make_context(name, rest)
