"""Variables that Kubernetes makes of a Service called larnn, and names that are no setting."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from larnn_service.settings import Settings
from larnn_service.variables import service_links, warnings

LINKS = {
    "LARNN_SERVICE_HOST": "10.0.0.1",
    "LARNN_SERVICE_PORT": "8000",
    "LARNN_SERVICE_PORT_HTTP": "8000",
    "LARNN_PORT": "tcp://10.0.0.1:8000",
    "LARNN_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "LARNN_PORT_8000_TCP_PROTO": "tcp",
    "LARNN_PORT_8000_TCP_PORT": "8000",
    "LARNN_PORT_8000_TCP_ADDR": "10.0.0.1",
    "LARNN_GRPC_PORT": "tcp://10.0.0.2:8001",
    "LARNN_GRPC_SERVICE_HOST": "10.0.0.2",
}


def test_those_of_services_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (LINKS | {"LARNN_MAX_STREAMS": "7"}).items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.port, settings.grpc_port, settings.max_streams) == (8000, None, 7)
    assert service_links(LINKS) == LINKS.keys()


def test_a_port_that_is_one_stays_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LARNN_PORT", "9000")
    assert Settings().port == 9000
    monkeypatch.setenv("LARNN_PORT", "nine")
    with pytest.raises(ValidationError):
        Settings()


def test_whoever_starts_it_is_told() -> None:
    given = LINKS | {
        "LARNN_MAX_STREAM": "7",
        "LARNN_KEY": "k",
        "LARNN_MAX_STREAMS": "7",
        "HOME": "",
    }
    told = list(warnings(given, Settings.model_fields))
    named = [warning.split()[0] for warning in told]
    assert named == ["LARNN_GRPC_PORT", "LARNN_MAX_STREAM", "LARNN_PORT"]
    assert "enableServiceLinks" in told[2] and "no setting" in told[1]


def test_a_name_that_is_empty_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LARNN_SERVED_AS", "LARNN_MODEL", "LARNN_ROOT_PATH"):
        monkeypatch.setenv(name, "")
    settings = Settings()
    assert (settings.served_as, settings.model, settings.root_path) == ("", "", "")
    with pytest.raises(ValidationError):
        Settings(served_as="No Name")


@pytest.mark.parametrize("path", ["larnn", "/a b", "/a//b", "/é"])
def test_a_path_before_ours_is_a_path(path: str) -> None:
    with pytest.raises(ValidationError, match="say /name"):
        Settings(root_path=path)
    assert Settings(root_path="/a/b/").root_path == "/a/b"
