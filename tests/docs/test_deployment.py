"""docs/deployment.md: keys and TLS work as written, and what it names exists."""

from __future__ import annotations

import math
import re
from pathlib import Path

import httpx
import pytest
import trustme
import yaml

from larnn_service.contract import Manifest
from larnn_service.settings import Settings
from tests import live
from tests.docs import page, shell

PAGE = page.read("deployment.md")
COMMANDS = [block.text for block in page.blocks(PAGE) if block.language == "sh"]


def _begins(text: str) -> str:
    [command] = [command for command in COMMANDS if command.startswith(text)]
    return command


def test_a_key_and_a_certificate_open_it_as_written(toy_models: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    made = shell.run(_begins("python -m service keys"), tmp_path / "bin")
    found = re.search(r"(phone:[0-9a-f]{64})", made)
    assert found, made
    key = next(word for word in made.split() if len(word) > 20 and ":" not in word)
    serve = _begins("LARNN_API_KEYS=")
    for option in re.findall(r"--([a-z-]+)", serve):
        assert option.replace("-", "_") in Settings.model_fields, option
    pem = tmp_path / "both.pem"
    settings = {"api_keys": found[1], "tls_cert": pem, "tls_key": pem}
    with live.running(models=toy_models, model="toy", **settings) as url:
        port = url.rpartition(":")[2]
        command = _begins("LARNN_KEY=").replace("KEY larnn", f"{key} larnn").replace("8000", port)
        assert "toy/1" in shell.run(command, tmp_path / "bin")


def test_the_workers_start_as_written(toy_models: Path, tmp_path: Path) -> None:
    told = dict(re.findall(r"LARNN_(\w+)=(\S+)", _begins("LARNN_WORKERS=")))
    assert told.keys() == {"WORKERS", "STORE", "WORKER_PORT"}
    assert told["STORE"].startswith("sqlite:////")
    store = f"sqlite:///{tmp_path / 'streams.db'}"
    with live.process(models=toy_models, workers=told["WORKERS"], store=store) as service:
        assert httpx.get(f"{service.url}/readyz", timeout=60).is_success


def test_every_setting_and_file_that_it_names_exists() -> None:
    for name in re.findall(r"`LARNN_([A-Z_]+)", PAGE):
        assert name.lower() in Settings.model_fields, name
    for path in re.findall(r"`(deploy/[\w.]+)`", PAGE):
        assert (live.ROOT / path).is_file(), path


def test_an_idle_connection_is_kept_longer_than_proxies_keep_theirs() -> None:
    kept = Settings().keep_alive
    assert f"`LARNN_KEEP_ALIVE` ({kept:g} seconds)" in PAGE
    envoy = (live.ROOT / "deploy" / "envoy.yaml").read_text()
    [theirs] = re.findall(r"common_http_protocol_options: {idle_timeout: (\d+)s}", envoy)
    haproxy = (live.ROOT / "deploy" / "haproxy.cfg").read_text()
    [server] = re.findall(r"timeout server (\d+)s", haproxy)
    for seconds in (60, int(theirs), int(server)):  # nginx' and AWS' defaults are 60
        assert kept > seconds


def test_compose_is_as_told() -> None:
    compose = yaml.safe_load((live.ROOT / "docker-compose.yml").read_text())
    services = compose["services"]
    for profile in re.findall(r"--profile (\w+)", PAGE):
        assert any(profile in service.get("profiles", []) for service in services.values())
    assert services["larnn"]["read_only"] and services["larnn"]["cap_drop"] == ["ALL"]
    grace, drain = services["larnn"]["stop_grace_period"], Settings().drain_timeout
    assert f"{grace.removesuffix('s')} seconds" in PAGE
    assert int(grace.removesuffix("s")) > 2 * drain
    for option in ("--appendonly yes", "--appendfsync always", "noeviction"):
        assert option in services["valkey"]["command"] and option in PAGE


@pytest.mark.parametrize("name", ["144 MB", "600 MB"])
def test_sizes_are_those_that_others_measure(name: str) -> None:
    measured = (
        page.read("performance.md") + (live.ROOT / "tests/deploy/test_compose.py").read_text()
    )
    assert name in PAGE
    assert name in measured or f"size < {name.removesuffix(' MB')}" in measured


def test_a_streams_size_is_its_state() -> None:
    text = (live.ROOT / "models/larnn-har/1/model.json").read_bytes()
    contract = Manifest.model_validate_json(text).contract
    state = sum(tensor.initial_array(1).nbytes for tensor in contract.state)
    assert f"{math.ceil(state / 1000)} KB of state" in PAGE
    assert f"{4 * len(contract.labels)} bytes for each step" in PAGE
