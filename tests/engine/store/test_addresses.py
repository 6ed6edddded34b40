"""What an address of Valkey says is understood, and a wrong one is refused without repeating it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from larnn_service.engine.store.factory import open_store
from larnn_service.engine.store.valkey.address import read
from larnn_service.errors import StartupError

SECRET = "Xq7vZk"
"""A piece of each password below that stands nowhere else."""


@pytest.mark.parametrize(
    ("address", "kind", "nodes", "options"),
    [
        ("redis://host", "server", [("host", 6379)], {}),
        ("valkey://host:7000/3", "server", [("host", 7000)], {"db": 3}),
        ("redis://[::1]:7000/0", "server", [("::1", 7000)], {"db": 0}),
        (
            "rediss://larnn:p%40s%2Fs%25@host:6380/0?ssl_ca_certs=/ca.pem&ssl_check_hostname=no",
            "server",
            [("host", 6380)],
            {"db": 0, "username": "larnn", "password": "p@s/s%", "ssl": True}
            | {"ssl_ca_certs": "/ca.pem", "ssl_check_hostname": False},
        ),
        (
            "redis+cluster://:secret@one:7000,two:7001",
            "cluster",
            [("one", 7000), ("two", 7001)],
            {"password": "secret"},
        ),
        ("valkeys+cluster://one", "cluster", [("one", 6379)], {"ssl": True}),
        ("redis+cluster://one/0", "cluster", [("one", 6379)], {"db": 0}),
        ("redis+cluster://one?db=0", "cluster", [("one", 6379)], {"db": 0}),
        ("unix:///run/valkey.sock?db=2", "server", [], {"path": "/run/valkey.sock", "db": 2}),
        (
            "unix://larnn:p%2Fs@/run/a%23b.sock",
            "server",
            [],
            {"path": "/run/a#b.sock", "username": "larnn", "password": "p/s"},
        ),
    ],
)
def test_an_address_is_understood(
    address: str, kind: str, nodes: list[tuple[str, int]], options: dict[str, Any]
) -> None:
    found = read(address)
    assert (found.kind, found.nodes, found.options) == (kind, nodes, options)


def test_sentinels_have_their_own_name_and_password_and_the_same_certificates() -> None:
    found = read(
        "rediss+sentinel://app:one@a,b:5000/streams/2?"
        "sentinel_username=watch&sentinel_password=two&ssl_ca_certs=/ca.pem"
    )
    assert (found.kind, found.service) == ("sentinel", "streams")
    assert found.nodes == [("a", 26379), ("b", 5000)]
    tls = {"ssl": True, "ssl_ca_certs": "/ca.pem"}
    assert found.options == {"username": "app", "password": "one", "db": 2} | tls
    assert found.sentinel_options == {"username": "watch", "password": "two"} | tls


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (f"redis://:{SECRET}/{SECRET}@host:6379/0", "write %40 for @, %2F for /"),
        (f"redis://:{SECRET}?{SECRET}@host:6379/0", "%3F for ?"),
        (f"redis://:{SECRET}#{SECRET}@host:6379/0", "%23 for #"),
        (f"redis://:{SECRET}[@host:6379/0", "cannot be read"),
        (f"redis://:12{SECRET}/34@host:6379", "redis://[NAME:PASSWORD@]HOST:PORT/0"),
        (f"redis://:{SECRET}:6379/0", "a host is followed by a port"),
        (f"redis://:{SECRET}@host:port/0", "a number below 65536"),
        (f"redis://:{SECRET}@host:99999/0", "a number below 65536"),
        (f"redis://:{SECRET}@host/zero", "number of a database"),
        (f"redis://:{SECRET}@one,two/0", "the scheme says which"),
        (f"redis://:{SECRET}@host?password={SECRET}&colour={SECRET}", "an option is none of"),
        (f"redis://:{SECRET}@host?socket_keepalive={SECRET}&db={SECRET}", "cannot be read"),
        (f"redis://:{SECRET}@host?ssl_ca_certs=/{SECRET}", "rediss://"),
        (f"redis+cluster://:{SECRET}@host/1", "database 0 alone"),
        (f"redis+cluster://:{SECRET}@host?db=1", "database 0 alone"),
        (f"redis+cluster://:{SECRET}@host/0?db=1", "database 0 alone"),
        (f"redis+sentinel://:{SECRET}@host", "HOST:PORT/SERVICE"),
        (f"redis+cluster://:{SECRET}@host?sentinel_password={SECRET}", "no Sentinels"),
        (f"unix:///run/socket?password={SECRET}@{SECRET}", "%40 for @"),
        (f"unix://{SECRET}.sock", "say unix://[NAME:PASSWORD@]/PATH"),
        (f"unix://run/{SECRET}.sock", "whole path"),
        (f"unix://:{SECRET}@run/{SECRET}.sock", "whole path"),
        (f"unix://:{SECRET}/{SECRET}@/run/valkey.sock", "whole path"),
        (f"unix://:{SECRET}@?db=0", "whole path"),
        (f"unix://:{SECRET}@/", "whole path"),
        (f"unix:///run/{SECRET}#{SECRET}.sock", "%23 for #"),
        (f"http://:{SECRET}@host", "no scheme that is known"),
    ],
)
def test_a_wrong_one_is_one_sentence_without_a_piece_of_it(address: str, told: str) -> None:
    with pytest.raises(StartupError) as refusal:
        open_store(address, ttl=60, timeout=1)
    text = str(refusal.value)
    assert text.startswith("LARNN_STORE: ") and told in text
    assert SECRET not in text and "\n" not in text
    assert refusal.value.__cause__ is None
    assert refusal.value.__context__ is None or refusal.value.__suppress_context__


@given(st.text(min_size=1), st.sampled_from(["redis", "rediss+sentinel", "valkey+cluster"]))
@example("p/w", "redis")
def test_no_password_shows_however_it_is_written(rest: str, scheme: str) -> None:
    """It is taken whole, or refused; and what is shown of an address that is taken is its host."""
    password = f"{SECRET}{rest}{SECRET}"
    try:
        found = read(f"{scheme}://:{password}@host:6379/0")
    except StartupError as refusal:
        assert SECRET not in str(refusal)
    else:
        assert found.hosts == "host" and SECRET not in repr(found)
