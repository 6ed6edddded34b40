"""Binary answers as the client reads them: what the service encodes, and what nobody should."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larnn_client.answers import Output, Prediction, Raw
from larnn_client.errors import ProtocolError
from larnn_client.messages import decode
from larnn_client.reading import AnswerReader
from larnn_service.outputs import to_columns
from larnn_service.wire.answer_arrays import encode_arrays
from larnn_service.wire.answer_options import AnswerOptions
from tests import many_outputs

CONTRACT = many_outputs.contract()
NAMES = [output.name for output in CONTRACT.outputs]
OUTPUTS = [
    Output(each.name, each.task, each.dtype, each.names, ("g", "g"), each.shape)
    for each in CONTRACT.outputs
]
GRID = Output("grid", "raw", "float16", shape=(2, 1))
numbers = st.floats(-9, 9, width=32)


@given(
    steps=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=9),
    before=st.integers(0, 2**62),
    emit=st.sampled_from(["last", "every", 1, 2, 3, 100]),
    asked=st.sets(st.sampled_from(NAMES[1:])),
)
def test_it_reads_every_bit_that_the_service_encodes(
    steps: list[tuple[float, float]], before: int, emit: Any, asked: set[str]
) -> None:
    truth = many_outputs.expected(np.array(steps, np.float32))
    columns = to_columns(CONTRACT.outputs, [truth[name] for name in NAMES])
    end = before + len(steps)
    options = AnswerOptions(emit=emit, outputs=frozenset(asked))
    frame = encode_arrays(CONTRACT, columns, end, before, options)
    told = decode(frame, AnswerReader(OUTPUTS, sorted(asked), emit, logits=False))
    assert isinstance(told, Prediction)
    assert (told.position, told.durable) == (end, before)
    every = {"every": 1}.get(emit, emit)
    wanted = [i for i in range(len(steps)) if every != "last" and (before + i + 1) % every == 0]
    assert (told.steps is None) is (emit == "last")
    for place, step in [(-1, told), *zip(wanted, told.steps or (), strict=True)]:
        assert list(step.values.values()) == truth["sums"][place].tolist()
        assert step.outputs.keys() == asked
        for name in asked & {"steps_seen", "grid"}:
            raw = step.outputs[name]
            assert isinstance(raw, Raw)
            assert raw.array.dtype == truth[name].dtype
            assert raw.array.tobytes() == truth[name][place].tobytes()


@given(
    head=st.lists(st.integers(0, 2**64 - 1), min_size=3, max_size=3),
    count=st.none() | st.integers(0, 3),
    rest=st.binary(max_size=40),
)
def test_any_other_bytes_are_a_protocol_error(
    head: list[int], count: int | None, rest: bytes
) -> None:
    if count is not None:
        head[2] = count
    reader = AnswerReader([GRID], [], "every", logits=False)
    frame = struct.pack("<3Q", *head) + rest
    if head[2] and len(rest) == 4 * head[2]:
        assert isinstance(decode(frame, reader), Prediction)
    else:
        with pytest.raises(ProtocolError, match="cannot be read"):
            decode(frame, reader)
    with pytest.raises(ProtocolError):
        decode(frame[:23], reader)
    with pytest.raises(ProtocolError, match="before `opened`"):
        decode(frame, None)


@pytest.mark.parametrize(
    "output",
    [Output("later", "riddle", "float32", ("A", "B")), Output("later", "raw", "quaternion")],
)
def test_what_this_client_does_not_know_is_said(output: Output) -> None:
    reader = AnswerReader([output], [], "last", logits=False)
    with pytest.raises(ProtocolError, match="cannot be read"):
        decode(struct.pack("<3Q2f", 1, 1, 1, 0, 0), reader)
