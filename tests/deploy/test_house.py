"""What can be said of the packaging without an engine or an install."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import yaml

from tests import live

PINS = live.ROOT / "constraints"
CLIENT = tomllib.loads((live.ROOT / "client" / "pyproject.toml").read_text())["project"]


def names(requirements: str) -> set[str]:
    found = re.findall(r"^([A-Za-z0-9._-]+)", requirements, flags=re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower() for name in found if not name.startswith("-")}


def needs(*sections: str) -> set[str]:
    command = [sys.executable, "constraints/needs.py", *sections]
    done = subprocess.run(command, cwd=live.ROOT, capture_output=True, text=True, check=True)
    return names(done.stdout)


def test_every_pin_is_a_version_and_nothing_else() -> None:
    for file in PINS.glob("*.txt"):
        for line in file.read_text().splitlines():
            assert re.fullmatch(r"#.*|-c [a-z]+\.txt|[\w.-]+==[\w.]+", line), (file.name, line)


def test_everything_that_pyproject_names_is_pinned() -> None:
    pinned = names("".join(file.read_text() for file in PINS.glob("*.txt")))
    house = tomllib.loads((live.ROOT / "pyproject.toml").read_text())
    sections = house["project"]["optional-dependencies"] | house["dependency-groups"]
    assert needs("larnn", *sections) <= pinned


def test_the_service_needs_no_torch() -> None:
    assert not {"torch", "onnx"} & needs("serve")
    assert {"torch", "onnx"} <= needs("train")


def test_asking_needs_neither_the_service_nor_what_it_runs_on() -> None:
    needed = needs("larnn") | names("\n".join(CLIENT["dependencies"]))
    assert needed == {"httpx", "numpy", "pydantic", "rich", "typer", "websockets"}


def test_the_first_compose_service_needs_nothing_but_docker() -> None:
    services = yaml.safe_load((live.ROOT / "docker-compose.yml").read_text())["services"]
    assert next(iter(services)) == "larnn"
    assert services["larnn"]["ports"] == ["127.0.0.1:8000:8000"]
    assert not {"profiles", "depends_on"} & services["larnn"].keys()
    for name, service in services.items():
        assert name == "larnn" or service["profiles"], name


def test_the_cluster_is_two_replicas_behind_8080_on_a_store_that_forgets_nothing() -> None:
    services = yaml.safe_load((live.ROOT / "docker-compose.yml").read_text())["services"]
    cluster = {name: s for name, s in services.items() if s.get("profiles") == ["cluster"]}
    assert set(cluster) == {"replica", "valkey", "gateway"}
    assert cluster["replica"]["scale"] == 2
    assert cluster["gateway"]["ports"] == ["127.0.0.1:8080:8080"]
    assert "--appendonly yes --appendfsync always" in cluster["valkey"]["command"]
    assert "ports" not in cluster["valkey"]


def test_the_store_has_a_password_and_a_network_of_its_replicas() -> None:
    house = yaml.safe_load((live.ROOT / "docker-compose.yml").read_text())
    services = house["services"]
    [password] = set(re.findall(r"\$\{[^}]*PASSWORD[^}]*\}", str(services)))
    assert services["replica"]["environment"]["LARNN_STORE"] == f"redis://:{password}@valkey:6379/0"
    assert f"--protected-mode yes --requirepass {password}" in services["valkey"]["command"]
    assert services["valkey"]["networks"] == ["store"] and house["networks"]["store"]["internal"]
    reached_by = [name for name in services if "store" in services[name].get("networks", [])]
    assert reached_by == ["replica", "valkey"]


def test_every_service_has_limits_and_no_more_rights_than_it_needs() -> None:
    services = yaml.safe_load((live.ROOT / "docker-compose.yml").read_text())["services"]
    for name, service in services.items():
        assert {"mem_limit", "pids_limit", "cpu_quota"} <= service.keys(), name
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert all("size=" in mount for mount in service.get("tmpfs", [])), name
        if "LARNN_CONCURRENCY" in service.get("environment", {}):
            runs = int(service["environment"]["LARNN_CONCURRENCY"])
            assert runs * 100_000 == service["cpu_quota"], name


def test_the_gateway_is_a_branch_of_nginx_that_is_supported() -> None:
    """Whichever that is: a number would be out of date within a year."""
    services = yaml.safe_load((live.ROOT / "docker-compose.yml").read_text())["services"]
    assert services["gateway"]["image"] == "nginx:stable"


def test_who_may_come_in_without_a_key_comes_from_this_machine() -> None:
    services = yaml.safe_load((live.ROOT / "docker-compose.yml").read_text())["services"]
    for service in services.values():
        environment = service.get("environment", {})
        assert environment.get("LARNN_ALLOW_ANYONE") != "true" or all(
            port.startswith("127.0.0.1:") for port in service.get("ports", [])
        )
    assert services["larnn"]["environment"]["LARNN_ALLOW_ANYONE"] == "true"
    for name, service in services.items():
        hosts = service.get("environment", {}).get("LARNN_ALLOWED_HOSTS", name)
        assert name in hosts.split(","), "it answers to its own name"
        assert "*" not in hosts


def test_a_volume_for_streams_belongs_to_the_images_user() -> None:
    image = (live.ROOT / "Dockerfile").read_text()
    [user] = re.findall(r"^USER (\d+):\d+$", image, re.M)
    assert f"install -d -o {user} -g {user} /var/lib/larnn" in image
