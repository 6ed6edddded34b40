"""Numbers of addresses and headers are as JSON has them; what Python reads beside is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from larnn_service.endpoints.oip import binary_tensors
from larnn_service.endpoints.oip.inference import version_number
from larnn_service.errors import ServiceError
from larnn_service.wire.answer_options import options_of
from larnn_service.wire.arrays import version_asked
from larnn_service.wire.http import Head
from larnn_service.wire.measured import said_in
from larnn_service.wire.number_texts import number, whole_number

ODD = ("", " ", "5_0", "+5", " 5", "5 ", "5\n", "0x5", "05", "٥", "⁵", "five", "5,0", "NaN")


@pytest.mark.parametrize("text", [*ODD, "-1", "5.0", "5e0", "inf"])
def test_what_is_no_whole_number(text: str) -> None:
    assert whole_number(text) is None


@pytest.mark.parametrize("text", [*ODD, "5.", ".5", "1e400", "inf", "-", "1" * 65])
def test_what_is_no_number(text: str) -> None:
    assert number(text) is None


def test_numbers_are_read() -> None:
    assert [whole_number(text) for text in ("0", "50", "9" * 19)] == [0, 50, 10**19 - 1]
    assert [number(text) for text in ("0", "-1", "50.5", "1e2", "1.5E-1")] == [
        0,
        -1,
        50.5,
        100,
        0.15,
    ]
    enormous = whole_number("9" * 5_000)
    assert enormous is not None and enormous >= 10**19


def _split(text: str) -> Any:
    head = Head("POST", "/", "", {binary_tensors.HEADER.lower(): text})
    return binary_tensors.split(head, b"0" * 100)


READERS: Mapping[str, Callable[[str], Any]] = {
    "sample_rate_hz": lambda text: said_in({"sample_rate_hz": text}),
    "version": lambda text: version_asked({"version": text}),
    "emit": lambda text: options_of({"emit": text}),
    "a version's path": lambda text: version_number(text or "x"),
    "a header": _split,
}
"""Whatever reads a number of an address or a header."""


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_everybody_reads_them_so(read: Callable[[str], Any], text: str) -> None:
    with pytest.raises(ServiceError):
        read(text)
    read("50")


@pytest.mark.parametrize("text", [*ODD, "-1", "1.0"])
def test_a_length_that_is_no_number_announces_nothing(text: str) -> None:
    assert Head("POST", "/", "", {"content-length": text}).content_length == 0
    assert math.isfinite(Head("POST", "/", "", {"content-length": "9" * 99}).content_length)
