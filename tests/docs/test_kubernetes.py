"""docs/kubernetes.md: what it names exists, and its values render."""

from __future__ import annotations

import re
import shlex
import tomllib

import yaml

from larnn_service.settings import Settings
from tests import live
from tests.deploy import helm
from tests.deploy.test_kserve import CONTAINER
from tests.deploy.test_kserve import PACKAGE as KSERVE
from tests.deploy.test_kubernetes import fits_its_schema
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
    for name in re.findall(r"`([a-z]\w*)\.(\w+)[`=]", PAGE):
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


def test_its_claim_is_the_one_that_the_chart_mounts_and_its_pod_fills_it() -> None:
    claim, pod = yaml.safe_load_all((helm.RENDERED / "claim.yaml").read_text())
    fits_its_schema(claim)
    fits_its_schema(pod)
    [volume] = pod["spec"]["volumes"]
    named = claim["metadata"]["name"], volume["persistentVolumeClaim"]["claimName"]
    assert {*named} == {VALUES["models"]["claim"]}
    [container] = pod["spec"]["containers"]
    [mount] = container["volumeMounts"]
    [fill] = [command for command in COMMANDS if "kubectl cp" in command]
    name = pod["metadata"]["name"]
    assert f"cp models/larnn-har larnn/{name}:{mount['mountPath']}/larnn-har" in fill
    assert f"delete pod {name}" in fill
    assert container["image"] in (helm.RENDERED / "plain.yaml").read_text()


def test_what_images_are_built_with_exists() -> None:
    project = tomllib.loads((live.ROOT / "pyproject.toml").read_text())["project"]
    named = {part for each in re.findall(r'EXTRAS="?([\w ]+)', PAGE) for part in each.split()}
    assert {"grpc", "s3", "hf", "mlflow"} <= named <= project["optional-dependencies"].keys()


def test_kserves_port_for_grpc_is_the_one_that_the_service_opens() -> None:
    [added] = [
        yaml.safe_load(block.text) for block in page.blocks(PAGE) if block.language == "yaml"
    ]
    [variable], [port] = added["env"], added["ports"]
    assert variable == {"name": "LARNN_GRPC_PORT", "value": str(port["containerPort"])}
    assert port["protocol"] == CONTAINER["ports"][0]["protocol"]
    assert f"`{KSERVE}`" in PAGE


@helm.needed
def test_its_installation_renders() -> None:
    [install] = [command for command in COMMANDS if command.startswith("helm install")]
    _, _, name, chart, *options = shlex.split(install.splitlines()[0])
    rendered = helm.run("template", name, str(live.ROOT / chart), *options)
    [image] = set(re.findall(r"image: (\S+larnn-service\S*)", rendered))
    [push] = [command for command in COMMANDS if command.startswith("docker build")]
    assert f"docker push {image}" in push
