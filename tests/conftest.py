"""Services that many tests share."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, settings

from tests import live, toy, valkey, valkeys
from tests.cli.command import Larnn
from wheels import uplot

# A busy machine is slow, not wrong.
settings.register_profile("larnn", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("larnn")
os.environ["PYTHONPATH"] = os.pathsep.join(live.PACKAGES)  # for the processes that tests start
with contextlib.suppress(SystemExit):  # without a network: then the tests of charts fail
    uplot.fetch()


@pytest.fixture(autouse=True)
def no_log_behind_the_test() -> Iterator[None]:
    """A start in the tests' own process sends its log to what pytest captures in this test."""
    yield
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if type(handler) is logging.StreamHandler:
            root.removeHandler(handler)


@pytest.fixture(scope="session")
def toy_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder that holds the toy."""
    root = tmp_path_factory.mktemp("models")
    toy.publish(root)
    return root


@pytest.fixture
def own_models(tmp_path: Path) -> Path:
    """A models folder that holds the toy, for one test to change."""
    toy.publish(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def toy_url(toy_models: Path) -> Iterator[str]:
    """A running service with the toy and default limits."""
    with live.running(models=toy_models, model="toy", request_timeout=600) as url:
        yield url


@pytest.fixture
def client(toy_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=toy_url, timeout=120) as client:
        yield client


@pytest.fixture(scope="session")
def har_url() -> Iterator[str]:
    """A running service with the bundled models and default limits."""
    with live.running(models=live.ROOT / "models", request_timeout=600) as url:
        yield url


@pytest.fixture(scope="session")
def valkey_program() -> None:
    """Skips where there is none."""
    if valkey.PROGRAM is None:
        pytest.skip("neither valkey-server nor redis-server is installed")


@pytest.fixture(scope="session")
def valkey_server(
    valkey_program: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[valkey.Server]:
    """A Valkey or Redis server that many tests share: they clear nothing and share no stream."""
    with valkey.running(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="session")
def valkey_cluster(
    valkey_program: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[valkeys.Cluster]:
    """A whole cluster that many tests share: they leave its servers alone."""
    with valkeys.cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def valkey_watched(
    valkey_program: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[valkeys.Watched]:
    """A server with replicas and Sentinels that many tests share: they leave it alone."""
    with valkeys.watched(tmp_path_factory.mktemp("watched")) as watched:
        yield watched


@pytest.fixture
def larnn(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Larnn:
    """The command line, run in this process."""
    monkeypatch.setenv("COLUMNS", "120")
    return Larnn(capsys)
