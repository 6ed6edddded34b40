"""What a bridge reads of a message, and of its description."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from larnn_cli.bridge.description import Payload, read
from larnn_cli.bridge.payloads import BadPayload
from larnn_cli.bridge.payloads import read as read_payload
from larnn_export.data import DataError

STEPS = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
NAMED = {"channels": ["left", "right"]}


@pytest.mark.parametrize(
    ("payload", "data"),
    [
        ({}, b"[[1, 2], [3, 4], [5, 6]]"),
        ({"steps": "data.steps"}, b'{"data": {"steps": [[1, 2], [3, 4], [5, 6]]}}'),
        (
            {"steps": "all"} | NAMED,
            b'{"all": [{"right": 2, "left": 1}, {"left": 3, "right": 4}, {"left": 5, "right": 6}]}',
        ),
        ({"format": "csv"}, b"1,2\n3,4\r\n5, 6\n"),
        ({"format": "csv"} | NAMED, b"time,right,left\n0,2,1\n1,4,3\n2,6,5"),
        ({"format": "csv"} | NAMED, b'"a, ""note""", "left" ,right\n"x\n,y",1,2\n,3,4\n,"5",6\n'),
        ({"format": "binary"}, STEPS.astype("<f4").tobytes()),
        (
            {"format": "binary", "dtype": "int16", "byte_order": "big", "skip": 3},
            b"abc" + STEPS.astype(">i2").tobytes(),
        ),
    ],
)
def test_every_format_gives_the_same_steps(payload: dict[str, Any], data: bytes) -> None:
    found = read_payload(data, Payload(**payload), 2)
    np.testing.assert_array_equal(found.steps, STEPS)
    assert found.steps.dtype == payload.get("dtype", np.float32)


@pytest.mark.parametrize(
    ("payload", "data"), [({}, b"[1, 2]"), (NAMED, b'{"right": 2, "left": 1}')]
)
def test_a_single_step_needs_no_brackets(payload: dict[str, Any], data: bytes) -> None:
    np.testing.assert_array_equal(read_payload(data, Payload(**payload), 2).steps, STEPS[:1])


def test_a_message_may_have_a_number() -> None:
    payload = Payload(steps="steps", sequence="n")
    assert read_payload(b'{"n": 7, "steps": [[1, 2]]}', payload, 2).sequence == 7


@pytest.mark.parametrize(
    ("payload", "data", "why"),
    [
        ({}, b"\xff", "no json of numbers"),
        ({}, b"[[1, 2], [3]]", "no json of numbers"),
        ({}, b'[["1", "2"]]', "what is no number"),
        ({}, b"[[1, null]]", "what is no number"),
        ({}, b"[[true, false]]", "what is no number"),
        ({"steps": "a.b"}, b'{"a": [1]}', "no field b"),
        (NAMED, b'[{"left": 1}]', "no field right"),
        ({"sequence": "n"} | {"steps": "s"}, b'{"n": 1.5, "s": [1, 2]}', "n is 1.5"),
        ({"sequence": "n"} | {"steps": "s"}, b'{"n": 9223372036854775808, "s": [1, 2]}', "beyond"),
        ({"format": "csv"}, b"1,2\n1,x", "no csv of numbers"),
        ({"format": "csv"} | NAMED, b"left,rite\n1,2", "no column right"),
        ({"format": "csv"} | NAMED, b"left,right\n1", "not the 2 cells"),
        ({"format": "binary"}, b"1234567", "7 bytes are no steps of 2 numbers of float32"),
        ({"format": "binary", "skip": 4}, b"123", "3 bytes are no steps"),
    ],
)
def test_what_holds_no_steps_is_told(payload: dict[str, Any], data: bytes, why: str) -> None:
    with pytest.raises(BadPayload, match=why):
        read_payload(data, Payload(**payload), 2)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("topic = 1", "topic: "),
        ('topic = "a"', "answers: Field required"),
        ('topic = "a"\nanswers = "b"\ntopics = "c"', "topics: Extra inputs"),
        ('topic = "a"\nanswers = "b"\npayload = {format = "csv", skip = 3}', "skip is not of"),
        ("topic = ", "cannot be read"),
    ],
)
def test_a_bad_description_is_told_with_its_field(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text(text)
    with pytest.raises(DataError, match=why):
        read(file)


def test_a_description(tmp_path: Path) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text('topic = "a"\nanswers = "b"\n[payload]\nformat = "binary"\nskip = 2\n')
    bridge = read(file)
    assert (bridge.topic, bridge.answers, bridge.payload.skip) == ("a", "b", 2)
    assert json.loads(bridge.model_dump_json())["model"] is None
