"""Where a broker is, as an option says it."""

from __future__ import annotations

import pytest

from larnn_cli.bridge.address import address, is_here
from larnn_export.data import DataError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("broker", ("broker", 1883)),
        ("broker:99", ("broker", 99)),
        ("broker:", ("broker", 1883)),
        ("[::1]:99", ("::1", 99)),
        (" 10.0.0.1:99", ("10.0.0.1", 99)),
    ],
)
def test_an_address_has_a_port_or_the_usual_one(text: str, found: tuple[str, int]) -> None:
    assert address(text, 1883) == found


@pytest.mark.parametrize(
    "text", ["mqtt://broker:1883", "broker:port", "broker:99999", "user@broker", "[::1", "", "a/b"]
)
def test_what_is_no_address_is_told(text: str) -> None:
    with pytest.raises(DataError, match="write host:port"):
        address(text, 1883)


def test_a_password_stays_on_this_machine_or_not() -> None:
    assert all(map(is_here, ("localhost", "127.0.0.1", "::1")))
    assert not any(map(is_here, ("broker", "10.0.0.1", "::2")))
