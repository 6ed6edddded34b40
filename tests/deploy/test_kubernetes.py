"""deploy/helm and deploy/kubernetes: they fit Kubernetes' schemas, the service, and each other."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from larnn_service.settings import Settings
from larnn_service.telemetry.metrics import Metrics
from tests import live, tools, valkey
from tests.deploy import helm

VERSION = "1.35"
"""Of Kubernetes: that of the packages' kubectl."""
OTHERS = {"keda.sh/v1alpha1", "monitoring.coreos.com/v1", "serving.kserve.io/v1alpha1"}
"""Kinds that others define: no schema of theirs is in Kubernetes."""
SOURCES = [path for path in (live.ROOT / "deploy").rglob("*.*ml") if "compose" not in path.name]


def rendered() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in helm.VARIANTS:
        for each in helm.objects((helm.RENDERED / f"{name}.yaml").read_text()):
            yield f"{name}: {each['kind']} {each['metadata']['name']}", each


OBJECTS = dict(rendered())


def pod(name: str, kind: str = "Deployment", of: str = "larnn") -> dict[str, Any]:
    """The pod of a variant's deployment."""
    spec: dict[str, Any] = OBJECTS[f"{name}: {kind} {of}"]["spec"]["template"]["spec"]
    return spec


def fits_its_schema(each: dict[str, Any]) -> None:
    """Unless it is of a kind that Kubernetes has no schema of."""
    kubernetes_validate = tools.package("kubernetes_validate")
    if each["apiVersion"] not in OTHERS:
        kubernetes_validate.validate(each, VERSION, strict=True)


def check_settings(own: dict[str, Any]) -> None:
    """Variables of a container: the service has such settings, and takes these values."""
    for setting in own:
        assert setting.removeprefix("LARNN_").lower() in Settings.model_fields, setting
    given = {
        setting.removeprefix("LARNN_").lower(): value
        for setting, value in own.items()
        if value is not None
    }
    Settings(**given | {"store": "redis://valkey:6379/0"})


def variables(name: str) -> dict[str, Any]:
    [container] = pod(name)["containers"]
    return {each["name"]: each.get("value") for each in container["env"]}


@helm.needed
def test_the_chart_is_well_written() -> None:
    assert "1 chart(s) linted, 0 chart(s) failed" in helm.run("lint", "--strict", str(helm.CHART))


@helm.needed
@pytest.mark.parametrize("name", helm.VARIANTS)
def test_the_manifests_are_what_the_chart_renders(name: str) -> None:
    written = (helm.RENDERED / f"{name}.yaml").read_text()
    assert written == helm.variant(name), "python -m tests.deploy.helm writes them anew"


@pytest.mark.parametrize("what", OBJECTS)
def test_each_object_fits_its_schema(what: str) -> None:
    fits_its_schema(OBJECTS[what])


def test_a_mistake_does_not() -> None:
    kubernetes_validate = tools.package("kubernetes_validate")
    wrong = OBJECTS["plain: Deployment larnn"] | {"spec": {"replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSION, strict=True)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(live.ROOT)))
def test_every_setting_that_is_named_exists(path: Path) -> None:
    for name in re.findall(r"LARNN_([A-Z_]+[A-Z])", path.read_text()):
        assert name.lower() in Settings.model_fields, name


def test_settings_of_the_chart_exist_and_are_read() -> None:
    values = yaml.safe_load((helm.CHART / "values.yaml").read_text())
    for name in helm.VARIANTS:
        own = variables(name)
        assert own.keys() >= {"LARNN_STORE", "LARNN_API_KEYS", "LARNN_MODELS"}
        check_settings(own)
    for name in values["settings"]:
        assert name.lower() in Settings.model_fields


def test_every_metric_that_is_named_is_one_of_the_service() -> None:
    """In the chart, the adapter's rules, the alerts and the dashboard."""
    metrics = Metrics()
    families = {family.name for family in metrics.registry.collect()}
    text = (live.ROOT / "docs/operations.md").read_text()
    known = families | set(re.findall(r"`(larnn_[a-z_]+)` \|", text))
    for path in SOURCES:
        for name in re.findall(r"\b(larnn_[a-z_]+)\b", path.read_text()):
            plain = re.sub(r"_(sum|count|bucket|total)$", "", name)
            assert {name, plain} & known, f"{path.name}: {name}"


@pytest.mark.parametrize("name", helm.VARIANTS)
def test_a_pod_has_time_for_all_of_its_end(name: str) -> None:
    spec = pod(name)
    [container] = spec["containers"]
    delay = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = int(variables(name)["LARNN_DRAIN_TIMEOUT"])
    assert spec["terminationGracePeriodSeconds"] > delay + 2 * drain


@pytest.mark.parametrize(
    "what", [name for name in OBJECTS if "Deployment" in name or "Stat" in name]
)
def test_no_pod_may_more_than_it_needs(what: str) -> None:
    spec = OBJECTS[what]["spec"]["template"]["spec"]
    assert not spec["automountServiceAccountToken"] and not spec["enableServiceLinks"]
    assert spec["securityContext"]["runAsNonRoot"]
    for container in spec["containers"]:
        rights = container["securityContext"]
        assert rights["readOnlyRootFilesystem"] and not rights["allowPrivilegeEscalation"]
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"].keys() >= {"cpu", "memory"}


def test_selectors_find_their_own_pods_alone() -> None:
    for name in helm.VARIANTS:
        own = {what: each for what, each in OBJECTS.items() if what.startswith(f"{name}: ")}
        pods = {
            what: each["spec"]["template"]["metadata"]["labels"]
            for what, each in own.items()
            if each["kind"] in ("Deployment", "StatefulSet")
        }
        for what, each in own.items():
            selector = each["spec"].get("selector", {})
            if each["kind"] in ("Service", "PodDisruptionBudget", "Deployment", "StatefulSet"):
                labels = selector.get("matchLabels", selector)
                found = [pod for pod, has in pods.items() if labels.items() <= has.items()]
                assert len(found) == 1, what
                assert ("valkey" in found[0]) is ("valkey" in what)


def test_the_gpu_variant_asks_for_one_and_refuses_to_do_without() -> None:
    [container] = pod("gpu")["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert variables("gpu")["LARNN_PROVIDER"] == "cuda"


def test_valkey_takes_the_charts_arguments(valkey_program: None, tmp_path: Path) -> None:
    """As `valkey-server` reads them, and then says what it was told."""
    [container] = pod("plain", "StatefulSet", "larnn-valkey")["containers"]
    arguments = [
        argument.replace("/data", str(tmp_path)).replace("$(VALKEY_PASSWORD)", "secret")
        for argument in container["args"]
    ]
    assert valkey.PROGRAM is not None
    socket = tmp_path / "s"
    more = ["--port", "0", "--unixsocket", str(socket)]
    with subprocess.Popen([valkey.PROGRAM, *arguments, *more], stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            while b"eady to accept" not in (line := server.stdout.readline()):
                assert line
            client = redis.Redis(unix_socket_path=str(socket), password="secret")
            told = client.config_get("*")
            client.close()
        finally:
            server.terminate()
    assert told["appendonly"] == "yes" and told["appendfsync"] == "always"
    assert told["maxmemory-policy"] == "noeviction" and told["maxmemory"] == "536870912"
    assert told["save"] == "" and Path(str(told["dir"])).samefile(tmp_path)
