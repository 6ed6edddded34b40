"""By which names the service may be asked."""

from __future__ import annotations

import pytest

from larnn_service.admission.hosts import Hosts
from larnn_service.admission.keys import new_key
from larnn_service.errors import Forbidden, StartupError
from larnn_service.settings import Settings
from larnn_service.wire.http import Head

LOOPBACK = [
    "localhost",
    "localhost:8000",
    "LocalHost:8000",
    "localhost.",
    "localhost:",
    "larnn.localhost:8000",
    "127.0.0.1",
    "127.0.0.1:8000",
    "127.8.9.10",
    "[::1]",
    "[::1]:8000",
    "[0:0:0:0:0:0:0:1]:8000",
]
ADDRESSES = ["192.168.1.7", "10.0.0.3:8000", "[fd00::7]:8000", "0.0.0.0:8000", "8.8.8.8"]
NAMES = ["rebound.example", "rebound.example:8000", "localhost.rebound.example", "larnn"]
MALFORMED = [
    "",
    " ",
    "localhost evil.example",
    "localhost,evil.example",
    "localhost/evil.example",
    "evil.example/localhost",
    "evil.example?localhost",
    "user@localhost",
    "localhost:8000:8000",
    "localhost:evil",
    "localhost:-1",
    "localhost..",
    ".localhost",
    "127.0.0.1.evil.example",
    "127.1",
    "2130706433",
    "0x7f.0.0.1",
    "::1",
    "[::1",
    "[::1].evil.example",
    "[localhost]",
    "localhost\x00",
    "localho\u017ft",
    "127.0.0.\u0661",
    "localhost" + "." * 70_000,
    "a." * 35_000 + "localhost",
]


def hosts(**settings: object) -> Hosts:
    return Hosts(Settings.model_validate(settings))


def may(named: Hosts, host: str | None) -> bool:
    try:
        named.check(Head("GET", "/", "", {} if host is None else {"host": host}))
    except Forbidden as refusal:
        assert "LARNN_ALLOWED_HOSTS" in refusal.detail
        assert host is not None and (not host.strip() or host not in refusal.detail)
        return False
    return True


@pytest.mark.parametrize("host", LOOPBACK)
def test_names_of_this_machine_always_may(host: str) -> None:
    for settings in ({}, {"host": "0.0.0.0", "allow_anyone": True}, {"allowed_hosts": "a.example"}):
        assert may(hosts(**settings), host)


@pytest.mark.parametrize("host", [*NAMES, *MALFORMED], ids=lambda host: repr(host[:30]))
def test_without_keys_no_other_name_may_wherever_it_listens(host: str) -> None:
    for settings in (
        {},
        {"host": "0.0.0.0", "allow_anyone": True},
        {"allow_anyone": True},
        {"allowed_hosts": "other.example,*.other.example"},
    ):
        assert not may(hosts(**settings), host)


@pytest.mark.parametrize("host", ADDRESSES)
def test_an_address_may_where_others_reach_the_service(host: str) -> None:
    """No name server says where an address leads; probes ask by it."""
    assert may(hosts(host="0.0.0.0", allow_anyone=True), host)
    assert may(hosts(allow_anyone=True), host)
    assert not may(hosts(), host)


def test_with_keys_any_name_may_unless_names_are_set() -> None:
    _, entry = new_key("phone")
    for host in [*LOOPBACK, *ADDRESSES, *NAMES]:
        assert may(hosts(api_keys=entry, host="0.0.0.0"), host)
    named = hosts(api_keys=entry, host="0.0.0.0", allowed_hosts="larnn.example")
    assert may(named, "larnn.example:443") and may(named, "10.0.0.3")
    assert not may(named, "rebound.example")


def test_names_of_the_setting_may_in_any_case_and_at_any_port() -> None:
    named = hosts(allowed_hosts=" Larnn.example , *.apps.example, 192.168.1.7,[fd00::7]")
    for host in (
        "larnn.example",
        "LARNN.EXAMPLE:8000",
        "larnn.example.",
        "a.apps.example",
        "b.a.apps.example:1",
        "192.168.1.7:8000",
        "[FD00::7]:8000",
    ):
        assert may(named, host), host
    for host in ("a.larnn.example", "apps.example", "xapps.example", "192.168.1.8", "example"):
        assert not may(named, host), host


def test_any_name_may_where_the_setting_says_so() -> None:
    for host in [*LOOPBACK, *ADDRESSES, *NAMES, *MALFORMED]:
        assert may(hosts(allowed_hosts="*"), host)


def test_one_name_that_may_opens_to_no_other() -> None:
    named = hosts(allowed_hosts="larnn.example")
    for _ in range(2):
        for host in ("larnn.example", "localhost:8000", "127.0.0.1"):
            assert may(named, host)
            assert not any(may(named, name) for name in (*NAMES, *MALFORMED, host + ".evil"))


def test_a_request_of_before_hosts_had_names_comes_from_no_page() -> None:
    assert may(hosts(), None)


@pytest.mark.parametrize(
    "name",
    [
        "http://a.example",
        "a.example:80",
        "a.*.example",
        "*a.example",
        "*.",
        "**",
        "a b",
        "bücher.de",
    ],
)
def test_what_is_no_name_is_refused_at_start(name: str) -> None:
    with pytest.raises(StartupError, match="LARNN_ALLOWED_HOSTS: .*is no name of a host"):
        hosts(allowed_hosts=f"a.example,{name}")
