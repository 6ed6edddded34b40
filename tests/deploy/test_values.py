"""deploy/helm/values.yaml: each value does something, and one that cannot be is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy import helm
from tests.deploy.test_kubernetes import check_settings, fits_its_schema

VALUES = yaml.safe_load((helm.CHART / "values.yaml").read_text())
FILE = Path(__file__).with_name("every_value.yaml")
EVERY = yaml.safe_load(FILE.read_text())
ELSE = {"models.source": "", "autoscaling.kind": "none"}
"""What has to be otherwise for some values to matter."""
pytestmark = helm.needed


def every(**changed: object) -> str:
    """The manifests of all values at once; `changed`: by path."""
    sets = (f"{path}={json.dumps(value)}" for path, value in changed.items())
    return helm.template("-f", str(FILE), *(part for each in sets for part in ("--set-json", each)))


@pytest.fixture(scope="module")
def whole() -> str:
    return every()


def paths() -> Iterator[tuple[str, Any, Any]]:
    """The path of each value, its default, and what the file has in its place."""
    for name, value in VALUES.items():
        if isinstance(value, dict) and value and name != "settings":
            for inner, default in value.items():
                yield f"{name}.{inner}", default, EVERY[name][inner]
        else:
            yield name, value, EVERY[name]


def scalars(value: Any) -> Iterator[str]:
    """What a value says, without the names of Kubernetes' fields."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from scalars(each)
    else:
        yield str(value)


def service_of(text: str) -> dict[str, Any]:
    """The service's container."""
    [deployment] = [each for each in helm.objects(text) if each["kind"] == "Deployment"]
    container: dict[str, Any]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    return container


def test_every_value_reaches_the_manifests(whole: str) -> None:
    rendered, default = whole + every(**ELSE), helm.template()
    for path, usual, value in paths():
        assert value != usual or isinstance(value, bool), path
        if path in ELSE:
            assert every(**{path: ELSE[path]}) != whole, path
        elif isinstance(value, bool):
            assert every(**{path: not value}) != whole, path
        else:
            for said in set(scalars(value)) - {"Exists"}:
                there = re.compile(rf"(?<![\w.]){re.escape(said)}(?![\w.])")
                assert there.search(rendered), (path, said)
                assert not there.search(default), (path, said)


def test_all_at_once_fit_kubernetes_and_the_service(whole: str) -> None:
    for each in helm.objects(whole):
        fits_its_schema(each)
    container = service_of(whole)
    own = [each for each in container["env"] if each["name"].startswith("LARNN_")]
    settings = {each["name"]: each.get("value") for each in own}
    assert len(settings) == len(own), "each once"
    check_settings(settings)
    probes = [container[f"{name}Probe"] for name in ("startup", "readiness", "liveness")]
    assert {probe["httpGet"]["scheme"] for probe in probes} == {"HTTPS"}


@pytest.mark.parametrize(("said", "seconds"), [("50m", "0.05"), ("1", "1"), ("0.5", "0.5")])
def test_the_time_in_the_queue_is_the_same_for_both_autoscalers(said: str, seconds: str) -> None:
    objects = helm.objects(every(**{"autoscaling.queueSeconds": said}))
    [scaled] = [each for each in objects if each["kind"] == "ScaledObject"]
    assert scaled["spec"]["triggers"][1]["metadata"]["threshold"] == seconds


@pytest.mark.parametrize("readers", ["null", "[]"])
def test_where_nobody_may_read_the_metrics_the_policy_opens_them_to_nobody(readers: str) -> None:
    rendered = helm.template("--set-json", f"networkPolicy.metricsFrom={readers}")
    [policy] = [
        each
        for each in helm.objects(rendered)
        if each["kind"] == "NetworkPolicy" and each["metadata"]["name"] == "larnn"
    ]
    assert [rule["ports"] for rule in policy["spec"]["ingress"]] == [[{"port": "http"}]]


@pytest.mark.parametrize("source", ["", "s3://own/models"])
@pytest.mark.parametrize("given", ["startup.load=900", "startup.fetch=900"])
def test_a_pod_is_not_started_again_while_it_may_still_fetch_and_load(
    source: str, given: str
) -> None:
    container = service_of(helm.template("--set", f"{given},models.source={source}"))
    probe = container["startupProbe"]
    seconds = [
        int(each["value"])
        for each in container["env"]
        if each["name"] in ("LARNN_FETCH_TIMEOUT", "LARNN_LOAD_TIMEOUT")
    ]
    assert len(seconds) == (2 if source else 1)
    assert 0 < probe["periodSeconds"] * probe["failureThreshold"] - sum(seconds) < 60


def test_without_a_delay_nothing_sleeps() -> None:
    """Kubernetes before 1.33 refuses to sleep for no time."""
    assert "preStop" not in helm.template("--set", "drain.delay=0")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("drain.timeout=2.5", "drain/timeout"),
        ('drain.delay="5s"', "drain/delay"),
        ('autoscaling.kind="vpa"', "autoscaling/kind"),
        ('autoscaling.queueSeconds="50ms"', "autoscaling/queueSeconds"),
        ("image.tag=1.10", "image/tag"),
        ("settings.MAX_BODY=33554432", "settings/MAX_BODY"),
        ('settings.max_body="1"', "max_body"),
        ("replicaCount=3", "replicaCount"),
        ('settings.PORT="80"', "give the value port,"),
        ('settings.DRAIN_TIMEOUT="60"', "give the value drain.timeout,"),
        ('settings.FETCH_TIMEOUT="60"', "give the value startup.fetch,"),
        ('settings.LARNN_HOST="::"', "without LARNN_: LARNN_HOST"),
        ('env=[{"name": "LARNN_DRAIN_DELAY", "value": "9"}]', "give the value drain.delay,"),
        ('env=[{"name": "larnn_port", "value": "80"}]', "give the value port,"),
        ('env=[{"name": "LARNN_TLS_CERT", "value": "/x"}]', "give the value settings.TLS_CERT,"),
        ('env=[{"name": "LARNN_SECRET", "valueFrom": {}}]', "give the value settings.SECRET,"),
        ('env=[{"value": "x"}]', "env/0"),
        ('secret=""', "secret"),
        ('rollout.maxSurge="0%"', "no pod could ever be replaced"),
    ],
)
def test_what_cannot_be_is_refused(wrong: str, said: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(said)):
        helm.template("--set-json", wrong)


@pytest.mark.parametrize("name", ["MODEL", "PORT", "TLS_CERT", "OTEL_LARNN_PORT"])
def test_a_variable_that_is_no_setting_may_have_any_name(name: str) -> None:
    own = {"name": name, "value": "own"}
    assert own in service_of(helm.template("--set-json", json.dumps({"env": [own]})))["env"]


def test_the_schema_knows_every_value() -> None:
    schema = json.loads((helm.CHART / "values.schema.json").read_text())["properties"]
    assert schema.keys() == VALUES.keys() | {"global"}
    for name, value in VALUES.items():
        if "properties" in schema[name]:
            assert schema[name]["properties"].keys() == value.keys(), name


def test_settings_that_the_chart_writes_are_those_that_it_refuses(whole: str) -> None:
    text = (helm.CHART / "templates/_names.tpl").read_text()
    refused = set(re.findall(r'"([A-Z_]+)" "', text[text.index("$own := dict") :]))
    written = set(re.findall(r"name: LARNN_([A-Z_]+)", whole + helm.template()))
    assert refused == written - EVERY["settings"].keys() | {"DRAIN_DELAY"}
