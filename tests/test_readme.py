"""The README's commands do what it says."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from larnn_export.__main__ import app
from larnn_export.families import FAMILIES
from tests import live
from tests.cli.command import Larnn

README = (live.ROOT / "README.md").read_text()
MAKEFILE = live.ROOT / "Makefile"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def run(command: list[str]) -> str:
    environment = os.environ | {"PYTHONPATH": str(live.ROOT / "client" / "src")}
    done = subprocess.run(
        command, cwd=live.ROOT, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def address(har_url: str) -> str:
    return har_url.removeprefix("http://")


def test_the_curl_command_classifies_the_window(address: str) -> None:
    [command] = [block for block in blocks("sh") if "/classify" in block]
    answer = run(shlex.split(command.replace("localhost:8000", address)))
    assert '"model":"larnn-har"' in answer
    assert '"label":"' in answer


def test_the_python_example_streams_the_recording(address: str) -> None:
    [program] = blocks("python")
    output = run([sys.executable, "-c", program.replace("localhost:8000", address)])
    *answers, ended = output.splitlines()
    assert int(answers[-1].split()[0]) > 500
    assert ended == f"ended at {answers[-1].split()[0]}"


def test_every_make_target_it_names_exists() -> None:
    named = set(re.findall(r"make (\w+)", "\n".join(blocks("sh"))))
    named |= set(re.findall(r"`make (\w+)`", README))
    assert {"serve", "test", "check", "train", "export"} <= named
    for target in named:
        assert re.search(rf"^{target}:", MAKEFILE.read_text(), flags=re.MULTILINE), target


def test_the_arguments_of_make_are_taken() -> None:
    given = re.findall(r'make (\w+) ARGS="([^"]*)"', README)
    assert given and len(given) == README.count("ARGS=")
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    for target, arguments in given:
        recipe = rf"^{target}: .*\n\t\$\(DEV\) -m export (\w+) \$\(ARGS\)$"
        found = re.search(recipe, MAKEFILE.read_text(), flags=re.MULTILINE)
        assert found, target
        params = group.commands[found[1]].make_context(target, shlex.split(arguments)).params
        assert params["preset"] in FAMILIES


def test_its_figures_are_those_of_the_bundled_model() -> None:
    manifest = json.loads((live.ROOT / "models/larnn-har/1/model.json").read_text())
    metrics = manifest["metrics"]
    assert f"{metrics['test']['accuracy']:.1%} of the windows" in README
    assert f"{metrics['folds']['accuracy']:.1%} over five folds" in README


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", README):
        assert Path(live.ROOT / target).exists(), target


def test_the_larnn_commands_answer(larnn: Larnn, har_url: str) -> None:
    [block] = [block for block in blocks("sh") if "larnn classify" in block]
    for line in block.splitlines()[1:]:
        done = larnn(*shlex.split(line)[1:], "--url", har_url)
        assert (done.code, "WALKING" in done.out) == (0, True), done.err
