"""docs/operations.md: its metrics, alerts, log fields and figures are the real ones."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from benchmarks import page as results
from larnn_service.telemetry.tags import tag
from tests import live, novel, toy
from tests.docs import page, shell

TEXT = page.read("operations.md")
BLOCKS = page.blocks(TEXT)
DEPLOY = live.ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD = DEPLOY / "grafana" / "larnn.json"
ROW = re.compile(r"^\| `(larnn_\w+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)
PROMTOOL = shutil.which("promtool")


def documented() -> dict[str, tuple[str, set[str]]]:
    return {name: (kind, set(re.findall(r"`(\w+)`", of))) for name, kind, of in ROW.findall(TEXT)}


@pytest.fixture
def measured(tmp_path: Path) -> dict[str, tuple[str, set[str]]]:
    """The service's own metrics, each with a sample: type and labels."""
    novel.publish(tmp_path)
    with (
        live.running(models=tmp_path, model="novel") as url,
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        client.post("/classify", json={"sequences": [[[1, 2]]]})
        stream = client.post("/streams").json()["stream"]
        client.post(f"/streams/{stream}/steps", json={"offset": 0, "steps": [[1, 2]]})
        client.get("/streams/made-up")
        client.post("/models/novel/load")
        text = client.get("/metrics").text
    found = {}
    for family in text_string_to_metric_families(text):
        if family.name.startswith("larnn_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = set().union(*(sample.labels for sample in family.samples)) - {"le"}
            found[name] = (family.type, labels)
    return found


def test_every_metric_stands_in_the_table_with_type_and_labels(
    measured: dict[str, tuple[str, set[str]]],
) -> None:
    assert documented() == measured


def expressions() -> list[str]:
    dashboard = json.loads(DASHBOARD.read_text())
    rules = yaml.safe_load(RULES.read_text())
    panels = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return panels + [rule["expr"] for group in rules["groups"] for rule in group["rules"]]


def test_a_version_is_loaded_as_written(har_url: str, tmp_path: Path) -> None:
    [load] = re.findall(r"^curl -X POST .*/load$", TEXT, re.M)
    told = shell.run(load.replace("localhost:8000", har_url), tmp_path / "bin")
    assert '"state":"serving"' in told
    metrics = httpx.get(f"{har_url}/metrics", timeout=60).text
    assert 'larnn_model_loads_total{model="larnn-har",outcome="loaded"}' in metrics


def test_dashboard_and_alerts_ask_for_what_there_is() -> None:
    """Metrics by name, and the labels by which they sum and choose."""
    known = documented()
    labels = set().union(*(of for _, of in known.values()))
    for expression in expressions():
        for name in re.findall(r"larnn_\w+", expression):
            assert re.sub(r"_(bucket|count|sum)$", "", name) in known, name
        for by in re.findall(r"by \(([^)]*)\)", expression):
            assert {label.strip() for label in by.split(",")} <= labels | {"le", "instance"}
        for chosen in re.findall(r"(\w+)=~?\"", expression):
            assert chosen in labels | {"instance", "job"}


def test_every_documented_metric_is_on_the_dashboard() -> None:
    shown = DASHBOARD.read_text()
    assert [name for name in documented() if name not in shown] == []


def test_every_alert_is_told() -> None:
    rules: dict[str, Any] = yaml.safe_load(RULES.read_text())
    every = [rule for group in rules["groups"] for rule in group["rules"]]
    alerts = {rule["alert"] for rule in every if "alert" in rule}
    assert alerts == set(re.findall(r"`(Larnn\w+)`", TEXT))


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
@pytest.mark.parametrize("command", ["check rules alerts.yml", "test rules alerts.test.yml"])
def test_promtool_accepts_the_rules(command: str) -> None:
    assert PROMTOOL is not None
    arguments = [PROMTOOL, *command.split()]
    found = subprocess.run(arguments, cwd=RULES.parent, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_promtool_reads_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    """As recording rules, with Grafana's variables filled in."""
    filled = [e.replace("$__rate_interval", "1m").replace("$instance", ".*") for e in expressions()]
    rules = [{"record": f"panel:{n}", "expr": e} for n, e in enumerate(filled)]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert PROMTOOL is not None
    found = subprocess.run([PROMTOOL, "check", "rules", file], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr


def test_a_version_is_published_as_written(tmp_path: Path) -> None:
    toy.publish(tmp_path / "models", "larnn-har", 1)
    toy.publish(tmp_path, "larnn-har", 2).rename(tmp_path / "larnn-har-2")
    [written] = [block.text for block in BLOCKS if "mv " in block.text]
    with live.running(models=tmp_path / "models") as url:
        script = written.replace("localhost:8000", url.removeprefix("http://"))
        done = subprocess.run(["sh", "-e", "-c", script], cwd=tmp_path, capture_output=True)
        assert done.returncode == 0, done.stderr
        answer = httpx.post(f"{url}/classify", json={"sequences": [[[1, 2]]]}, timeout=60)
    assert answer.json()["version"] == 2


def test_the_tag_of_an_id_is_made_as_written() -> None:
    [written] = [block.text for block in BLOCKS if "sha256sum" in block.text]
    done = subprocess.run(
        ["sh", "-c", written], env=os.environ | {"STREAM": "ab" * 24}, capture_output=True
    )
    assert done.stdout.decode().strip() == tag("ab" * 24)


def test_the_scrape_configuration_is_yaml_that_names_the_rules() -> None:
    [written] = [block.text for block in BLOCKS if block.language == "yaml"]
    [rules] = yaml.safe_load(written)["rule_files"]
    assert live.ROOT / rules == RULES


def test_no_request_failed_and_no_stream_was_disturbed() -> None:
    record = json.loads((results.RESULTS / "reload.json").read_text())
    assert (record["answered"], record["failed"], record["disturbed"]) == (10_000, 0, 0)
    assert min(record["loads"], record["refused"]) > 100
