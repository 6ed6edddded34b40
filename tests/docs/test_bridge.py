"""docs/bridge.md: its description reads its message, and the answer is the one that it shows."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from larnn_cli.bridge.counts import TOLD, Counts
from larnn_cli.bridge.description import Bridge, Payload, read
from larnn_cli.bridge.records import Record
from tests import live
from tests.cli.test_bridge_partition import way
from tests.docs import commands, page

PAGE = page.read("bridge.md")
BLOCKS = page.blocks(PAGE)


async def test_the_description_reads_the_message_and_the_answer_is_as_shown(
    toy_url: str, tmp_path: Path
) -> None:
    [description] = [block.text for block in BLOCKS if block.language == "toml"]
    message, answer = [block.text for block in BLOCKS if block.language == "json"]
    file = tmp_path / "bridge.toml"
    file.write_text(description)
    async with way(toy_url, read(file)) as one:
        one.partition.take(Record(0, b"device-1", message.encode()))
        [told] = await one.answers(1)
    assert page.agrees(told, json.loads(answer)), told


def test_every_field_is_told_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([\w.]+)` \| [\w, ]* ?\| ([^|]+) \|", PAGE, re.M))
    fields = {name: field for name, field in Bridge.model_fields.items() if name != "payload"}
    fields |= {f"payload.{name}": field for name, field in Payload.model_fields.items()}
    assert set(fields) == set(rows)
    for name in (
        "max_waiting",
        "idle",
        "payload.format",
        "payload.dtype",
        "payload.skip",
        "max_streams",
    ):
        assert float_or_text(rows[name].strip("`")) == float_or_text(fields[name].default), name


def float_or_text(value: object) -> object:
    try:
        return float(str(value))
    except ValueError:
        return value


def test_every_metric_is_told() -> None:
    for family in Counts().collect():
        name = family.name + ("_total" if family.name.removeprefix("larnn_bridge_") in TOLD else "")
        assert f"`{name}`" in PAGE


def test_what_it_installs_and_runs_exists() -> None:
    project = tomllib.loads((live.ROOT / "pyproject.toml").read_text())["project"]
    assert {"kafka", "mqtt"} <= set(project["optional-dependencies"])
    found = commands.NAMED.findall(PAGE)
    for package, arguments in found:
        commands.parse(package, arguments)
