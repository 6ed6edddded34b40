"""docs/capture.md: from a served stream to a network that has learned from it, by its blocks."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import polars as pl
import pytest

from larnn_service.capture_settings import CaptureSettings
from larnn_service.engine.capture.description import OWN
from larnn_service.settings import Settings
from tests import captured, live
from tests.cli.command import Larnn
from tests.docs import commands, page, shell

PAGE = page.read("capture.md")
BLOCKS = page.blocks(PAGE)
SHELL = [block.text for block in BLOCKS if block.language == "sh"]


def test_what_was_served_is_labelled_and_trained_on(
    larnn: Larnn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install, stream, copy, train = SHELL
    assert not shell.is_run(install)
    (tmp_path / "examples").symlink_to(live.ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    with live.running(models=live.ROOT / "models", capture=tmp_path / "captured") as url:
        _done(larnn, f"{stream} --url {url}")
    [file] = captured.files(tmp_path / "captured")
    assert file.is_relative_to(tmp_path / "captured" / "larnn-har" / "1")
    shell.run(copy, tmp_path / "bin")
    [label] = [block.text for block in BLOCKS if block.language == "python"]
    exec(compile(label, "capture.md", "exec"), {})
    rows = pl.read_parquet(tmp_path / "labelled" / file.parent.name / file.name)
    assert rows["label"].to_list() == ["WALKING"] * 544 + ["STANDING"] * 544
    for line in train.splitlines():
        _done(larnn, line)
    assert (tmp_path / "runs" / "captured").is_dir()


def _done(larnn: Larnn, line: str) -> None:
    done = larnn(*shlex.split(line)[1:])
    assert done.code == 0, (line, done.err)


def test_what_it_installs_exists() -> None:
    project = tomllib.loads((live.ROOT / "pyproject.toml").read_text())["project"]
    assert {"serve", "capture"} <= set(project["optional-dependencies"])


def test_every_setting_and_column_is_told() -> None:
    told = re.findall(r"^\| `LARNN_(\w+)` \|", PAGE, re.M)
    assert [name.lower() for name in told] == list(CaptureSettings.model_fields)
    assert set(told) <= {name.upper() for name in Settings.model_fields}
    for name in OWN:
        assert re.search(rf"^\| .*`{name}`", PAGE, re.M), name


def test_the_measuring_command_can_be_called() -> None:
    for package, arguments in commands.NAMED.findall(PAGE):
        commands.parse(package, arguments)
