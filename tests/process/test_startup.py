"""The log from its first line on, in the form that was asked for; refusals too."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests import live

LINK = {"LARNN_PORT": "tcp://10.0.0.1:8000", "LARNN_MAX_STREAM": "7"}


def refused(*flags: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """What a start says that cannot be."""
    return subprocess.run(
        [sys.executable, "-m", "service", *flags],
        env=os.environ | variables,
        cwd=live.ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


IMPORTED = "from larnn_service.asgi import app; app.engine"


def test_another_server_s_log_is_as_the_settings_say_too(toy_models: Path) -> None:
    """One that imports the application, such as uvicorn's command line or Ray Serve."""
    variables = os.environ | LINK | {"PYTHONPATH": os.pathsep.join(live.PACKAGES)}
    variables |= {"LARNN_MODELS": str(toy_models), "LARNN_MODEL": "toy"}
    variables |= {"LARNN_LOG_FORMAT": "json"}
    command = [sys.executable, "-c", IMPORTED]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    warned = [line["message"] for line in lines if line["level"] == "warning"]
    assert any("LARNN_MAX_STREAM is no setting" in message for message in warned)
    assert any("LARNN_PORT is Kubernetes' word" in message for message in warned)
    assert any("on CPU" in line["message"] for line in lines)


def test_a_store_that_does_not_answer_is_a_refusal_in_the_log_s_form(toy_models: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"valkey://127.0.0.1:{closed.getsockname()[1]}"
        flags = ("--models", str(toy_models), "--model", "toy", "--store", address)
        done = refused(*flags, LARNN_LOG_FORMAT="json")
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert "the service does not start" in lines[-1]["message"]
    assert lines[-1]["level"] == "error"


LOST = """
import contextlib, signal, time
from larnn_service.process.startup import refusals

class Swallows:
    def __del__(self):
        signal.raise_signal(signal.{signal})

with refusals():
    {lost}
    time.sleep(600)
"""


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("SIGINT", "Swallows()"),
        (
            "SIGTERM",
            "with contextlib.suppress(BaseException): signal.raise_signal(signal.{signal})",
        ),
    ],
    ids=["in a finalizer", "in a library"],
)
def test_a_signal_ends_a_start_whatever_becomes_of_its_exception(name: str, lost: str) -> None:
    program = LOST.replace("{lost}", lost).replace("{signal}", name)
    variables = os.environ | {"PYTHONPATH": os.pathsep.join(live.PACKAGES)}
    done = subprocess.run([sys.executable, "-c", program], env=variables, timeout=120)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("flags", "variables"),
    [
        (("--log-format", "json", "--models", "none"), {}),
        (("--log-format=json", "--port", "many"), LINK),
        (("--port", "many"), {"LARNN_LOG_FORMAT": "json"}),
    ],
    ids=["folder", "flag", "variable"],
)
def test_a_refused_start_is_a_line_of_json(
    flags: tuple[str, ...], variables: dict[str, str]
) -> None:
    done = refused(*flags, **variables)
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert lines[-1]["message"].startswith("the service does not start: ")
    assert lines[-1]["level"] == "error"


def test_every_line_of_a_start_is_json_and_names_odd_variables(toy_models: Path) -> None:
    variables = os.environ | LINK | live.environment(models=toy_models, log_format="json")
    with live.started([sys.executable, "-m", "service", "--port", "0"], variables, live.ROOT) as it:
        assert it.stop() == 0
    lines = [json.loads(line)["message"] for line in it.log]
    odd = [line.partition(", ")[0] for line in lines if line.startswith(tuple(LINK))]
    assert odd == [
        "LARNN_MAX_STREAM is no setting of this service",
        "LARNN_PORT is Kubernetes' word of a Service",
    ]
    assert any("running on" in line for line in lines)
