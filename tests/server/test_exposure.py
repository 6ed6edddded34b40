"""Where the service listens, with what keys and certificates, and when it refuses to."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import trustme

from larnn_client import Client
from larnn_service.admission.keys import ApiKeys
from larnn_service.errors import StartupError
from larnn_service.process.server import Server
from larnn_service.settings import Settings
from tests import live

HASH = "ab" * 32


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
def test_a_public_address_needs_keys_or_a_word(toy_models: Path, host: str) -> None:
    def server(**more: object) -> object:
        return Server(Settings.model_validate(base | more))

    base: dict[str, object] = {"models": toy_models, "model": "toy", "host": host}
    with pytest.raises(StartupError, match=r"LARNN_API_KEYS .*LARNN_ALLOW_ANYONE=true"):
        server()
    server(allow_anyone=True)
    server(api_keys=f"phone:{HASH}")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_neither(toy_models: Path, host: str) -> None:
    Server(Settings(models=toy_models, model="toy", host=host))


@pytest.mark.parametrize(
    "setting", ["secret-key", "phone:secret-key", f"phone:{HASH},secret-key", f"a b:{HASH}"]
)
def test_a_key_instead_of_its_hash_is_refused_and_not_repeated(setting: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "service"],
        env=os.environ | {"LARNN_API_KEYS": setting},
        cwd=live.ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("the service does not start: LARNN_API_KEYS: entry ")
    assert "secret" not in done.stderr
    assert "a b" not in done.stderr


def test_a_new_key_opens_by_its_entry() -> None:
    command = [sys.executable, "-m", "service", "keys", "phone.1"]
    done = subprocess.run(command, cwd=live.ROOT, capture_output=True, text=True)
    (_, key), (name, setting) = (line.split() for line in done.stdout.splitlines())
    keys = ApiKeys(setting)
    assert name == "LARNN_API_KEYS"
    assert keys.owner(key) == "phone.1"
    assert keys.owner(key[:-1]) is None
    assert len(key) >= 43
    done = subprocess.run([*command[:-1], "a b"], cwd=live.ROOT, capture_output=True, text=True)
    assert done.returncode == 2


@pytest.mark.parametrize("name", ["API_KEYS", "OPERATORS", "ALLOWED_HOSTS", "ALLOWED_ORIGINS"])
@pytest.mark.parametrize("setting", ["", ",", " ", " , ,"])
def test_a_list_that_is_set_and_names_nothing_is_refused(name: str, setting: str) -> None:
    """It was meant to keep somebody out: the service does not start open."""
    done = subprocess.run(
        [sys.executable, "-m", "service"],
        env=os.environ | {f"LARNN_{name}": setting},
        cwd=live.ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("the service does not start: ")
    assert f"LARNN_{name} is set and names nothing; leave it out" in done.stderr


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("allowed_origins", "app.example"),
        ("allowed_hosts", "https://app.example"),
    ],
)
def test_a_name_that_is_none_is_refused_at_start(toy_models: Path, setting: str, name: str) -> None:
    settings = Settings.model_validate({"models": toy_models, "model": "toy", setting: name})
    with pytest.raises(StartupError, match=f"LARNN_{setting.upper()}: '{name}'"):
        Server(settings)


def test_https_and_wss_with_a_certificate(toy_models: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(chain, append=True)
    certificate.private_key_pem.write_to_path(key)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    settings = {"models": toy_models, "model": "toy", "tls_cert": chain, "tls_key": key}
    with live.running(**settings) as url:
        url = url.replace("http", "https", 1)
        with Client(url, tls=trust) as client:
            assert client.classify([[[1, 2]]]).model == "toy"
            with client.stream() as stream:
                stream.send([[1, 2]])
                assert stream.receive().position == 1
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/healthz", timeout=60)
        assert healthcheck(url, {"LARNN_TLS_CERT": str(chain)}) == 0


def healthcheck(url: str, environment: dict[str, str]) -> int:
    """The exit status of the image's health check."""
    dockerfile = (live.ROOT / "Dockerfile").read_text()
    [command] = re.findall(r'CMD \["python", "-S", "-c", "(.*)"\]', dockerfile)
    environment = {"LARNN_PORT": url.rpartition(":")[2]} | environment
    done = subprocess.run(
        [sys.executable, "-S", "-c", command], env=os.environ | environment, timeout=60
    )
    return done.returncode


def test_the_image_is_healthy_while_the_service_is_ready(toy_url: str) -> None:
    assert healthcheck(toy_url, {}) == 0


def test_a_certificate_that_cannot_be_used_is_refused(toy_models: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for tls, text in (
        ({"tls_cert": tmp_path / "empty.pem"}, "go together"),
        ({"tls_cert": tmp_path / "none", "tls_key": tmp_path / "none"}, "No such file"),
        ({"tls_cert": tmp_path / "empty.pem", "tls_key": tmp_path / "empty.pem"}, "empty.pem"),
    ):
        with pytest.raises(StartupError, match=text):
            Server(Settings.model_validate({"models": toy_models, "model": "toy"} | tls))
