"""docker compose for tests: the repository's file, a free port, the host's network to build."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests import live, tools

PROJECT = "larnn-test"
STAND_INS = {"nginx:stable": "nginx:1.26"}
"""What an engine may have that reaches no registry, in the place of an image: for tests alone."""


def need_engine() -> None:
    """Skip where no Docker engine answers, or fail."""
    if shutil.which("docker") is None:
        reason = "docker is not installed"
    elif subprocess.run(["docker", "info"], capture_output=True).returncode:
        reason = "no Docker engine answers `docker info`"
    elif subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        reason = "docker has no compose command"
    else:
        return
    tools.missing(reason, "DOCKER")


def docker(*arguments: str, timeout: float = 120, check: bool = True) -> str:
    """Run docker with these arguments; what it printed."""
    done = subprocess.run(
        ["docker", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
    )
    if check and done.returncode:
        raise AssertionError(f"docker {' '.join(arguments)}: {done.returncode}\n{done.stdout}")
    return done.stdout.strip()


@dataclass
class Compose:
    """The services of docker-compose.yml under a name and a port of the test's own."""

    file: Path
    project: str = PROJECT

    def __call__(self, *arguments: str, timeout: float = 120, check: bool = True) -> str:
        return docker(
            *("compose", "-p", self.project, "--project-directory", str(live.ROOT)),
            *("-f", str(self.file), *arguments),
            timeout=timeout,
            check=check,
        )

    def inside(self, program: str) -> str:
        """What a Python program prints inside the running container."""
        return self("exec", "-T", "larnn", "python", "-c", program)


def prepare(folder: Path, project: str = PROJECT, profile: str | None = None) -> Compose:
    """A copy of docker-compose.yml: ports cannot be taken back by an override file.

    It has the services of the profile, or those of none.
    """
    house = yaml.safe_load((live.ROOT / "docker-compose.yml").read_text())
    wanted = {
        name: service
        for name, service in house["services"].items()
        if service.pop("profiles", [None]) == [profile]
    }
    for service in wanted.values():
        if "build" in service:
            service["build"] = {"context": service["build"], "network": "host"}
            service["image"] = f"{PROJECT}-image"
        else:
            service["image"] = available(service["image"])
        if "ports" in service:
            service["ports"] = ["127.0.0.1::" + service["ports"][0].rpartition(":")[2]]
    file = folder / "docker-compose.yml"
    used = {network for service in wanted.values() for network in service.get("networks", ())}
    networks = {name: house["networks"][name] for name in used}
    made = {"services": wanted, "networks": networks, "volumes": house["volumes"]}
    file.write_text(json.dumps(made))
    return Compose(file, project)


def available(image: str) -> str:
    """The image, or what stands in for it where the engine has that and not this."""

    def is_here(name: str) -> bool:
        command = ["docker", "image", "inspect", name]
        return subprocess.run(command, capture_output=True).returncode == 0

    stand_in = STAND_INS.get(image)
    return stand_in if stand_in and is_here(stand_in) and not is_here(image) else image
