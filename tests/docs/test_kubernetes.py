"""docs/kubernetes.md: what it names exists, and its values render."""

from __future__ import annotations

import re
import shlex

import yaml

from larnn_service.settings import Settings
from tests import live
from tests.deploy import helm
from tests.docs import page

PAGE = page.read("kubernetes.md")
COMMANDS = [block.text for block in page.blocks(PAGE) if block.language == "sh"]
VALUES = yaml.safe_load((helm.CHART / "values.yaml").read_text())


def test_every_file_and_setting_that_it_names_exists() -> None:
    for path in re.findall(r"`((?:deploy|tests)/[\w./-]+)`", PAGE):
        assert (live.ROOT / path).exists(), path
    for name in re.findall(r"LARNN_([A-Z_]+)|settings\.([A-Z_]+)", PAGE):
        assert "".join(name).lower() in Settings.model_fields, name
    for path in re.findall(r"-f (\S+\.yaml)", PAGE):
        assert (live.ROOT / path).is_file(), path


def test_every_value_that_it_names_exists() -> None:
    for name in re.findall(r"`(\w+)\.(\w+)[`=]", PAGE):
        group, value = name
        if group != "settings":
            assert value in VALUES[group], name


def test_the_secret_has_what_the_chart_reads() -> None:
    [secret] = [command for command in COMMANDS if "create secret" in command]
    given = set(re.findall(r"--from-literal=([\w-]+)=", secret))
    templates = "".join(path.read_text() for path in (helm.CHART / "templates").iterdir())
    read = set(re.findall(r'\$values\.secret "([\w-]+)"', templates))
    read |= set(re.findall(r"key: ([a-z-]+)\}", templates))
    assert given == read
    assert f"generic {VALUES['secret']} " in secret


@helm.needed
def test_its_installation_renders() -> None:
    [install] = [command for command in COMMANDS if command.startswith("helm install")]
    _, _, name, chart, *options = shlex.split(install)
    rendered = helm.run("template", name, str(live.ROOT / chart), *options)
    [image] = set(re.findall(r"image: (\S+larnn-service\S*)", rendered))
    [push] = [command for command in COMMANDS if command.startswith("docker build")]
    assert f"docker push {image}" in push
