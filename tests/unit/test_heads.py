"""A head that was read is known again, and nothing else is taken for it."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larnn_service.api.heads import Head, KnownHead
from larnn_service.backend.requests import Found, RequestReader, can_read

HEAD = Head("", b"", {b"content-type": b"application/json"}, keep_alive=True)
START = b"POST /classify HTTP/1.1\r\nHost: larnn\r\n"


def request(body: bytes, more: bytes = b"", length: bytes = b"Content-Length: %d\r\n") -> bytes:
    return START + length % len(body) + more + b"\r\n" + body


def known(data: bytes = request(b"12345")) -> KnownHead:
    found = KnownHead.of(data, HEAD)
    assert found is not None
    return found


@given(st.binary(max_size=300))
def test_the_same_head_gives_the_body(body: bytes) -> None:
    assert known().body(request(body)) == body


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_part_of_it_is_known_for_a_part(body: bytes, data: st.DataObject) -> None:
    whole = request(body)
    count = data.draw(st.integers(len(whole) - len(body), len(whole) - 1))
    assert known().body(whole[:count]) is None
    assert known().is_part(whole[:count], len(body))
    assert not known().is_part(whole[:count], len(body) - 1)
    assert not known().is_part(whole, len(body))


@given(st.data())
def test_another_head_is_not_known(data: st.DataObject) -> None:
    text = bytearray(request(b"abc", b"X-Mine: 1\r\n"))
    end = len(text) - 3
    place = data.draw(st.integers(0, end - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != text[place]))
    text[place] = byte
    changed, same = bytes(text), known(request(b"12345", b"X-Mine: 1\r\n"))
    assert same.body(changed) is None
    if not chr(byte).isdigit():  # else the body may be longer
        assert not same.is_part(changed, 2**16)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        request(b"12345")[:-7],
        request(b"", length=b"%.0dX: 5\r\n"),
        request(b"12345", b"content-length: 5\r\n"),
        request(b"12345", b"X: " + b"y" * 2**11 + b"\r\n"),
        request(b"12345", length=b"Content-Length: %d \r\n"),
    ],
)
def test_what_is_not_plain_is_not_kept(data: bytes) -> None:
    assert KnownHead.of(data, HEAD) is None


def test_a_connection_that_closes_has_nothing_to_know_again() -> None:
    head = Head("", b"", {}, keep_alive=False)
    assert KnownHead.of(request(b"12345"), head) is None


@pytest.mark.skipif(not can_read(), reason="larnn-kernels is not installed, or older")
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 5), st.booleans()), max_size=4))
def test_the_library_finds_what_each_request_holds(
    shapes: list[tuple[int, int, bool]],
) -> None:
    reader, heads, data, expected = RequestReader(), [], [], []
    for steps, channels, right in shapes:
        values = np.arange(steps * channels, dtype=np.float32).reshape(steps, channels)
        body = b'{"sequences": [%s], "logits": true}' % str(values.tolist()).encode()
        heads.append(known())
        data.append(request(body) if right else request(body) + b" ")
        expected.append(values if right else None)
    values, found = reader.read(data, [each.address for each in heads])
    for request_, want, fields in zip(data, expected, map(Found._make, found), strict=True):
        if want is None:
            assert fields.steps == 0
            continue
        first, body = fields.first, request_[fields.body :]
        assert (fields.steps, fields.channels) == want.shape
        assert values[first : first + want.size].tolist() == want.ravel().tolist()
        assert body[: fields.before] + body[fields.behind :] == b'{"sequences":, "logits": true}'


def test_an_address_stays_as_long_as_the_head() -> None:
    own = known()
    assert ctypes.c_char_p.from_address(own.address).value == START + b"Content-Length: "
