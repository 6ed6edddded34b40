"""Answers as arrays: each step that is asked for, each output bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from larnn_service.outputs import classes, to_columns
from larnn_service.wire.answer_arrays import HEAD, encode_arrays
from larnn_service.wire.answer_options import AnswerOptions
from larnn_service.wire.stream_schemas import Emit
from tests import many_outputs, toy

CONTRACT = many_outputs.contract()
NAMES = [output.name for output in CONTRACT.outputs]
numbers = st.floats(-9, 9, width=32)


def read(frame: bytes, names: list[str]) -> tuple[int, int, dict[str, NDArray[Any]]]:
    """A frame as docs/protocol.md tells it, with these outputs asked for."""
    position, durable, steps = (int(word) for word in np.frombuffer(frame, "<u8", 3))
    place, arrays = 24, {}
    for index, output in enumerate(CONTRACT.outputs):
        if index and output.name not in names:
            continue
        dtype = np.dtype(output.dtype).newbyteorder("<")
        count = steps * int(np.prod(output.step_shape))
        array = np.frombuffer(frame, dtype, count, place)
        arrays[output.name] = array.reshape(steps, *output.step_shape)
        place += array.nbytes
    assert place == len(frame)
    return position, durable, arrays


@given(
    steps=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=9),
    before=st.integers(0, 2**62),
    durable=st.integers(0, 2**63),
    emit=st.sampled_from(["last", "every", 1, 2, 3, 100]),
    asked=st.sets(st.sampled_from(NAMES[1:])),
)
def test_a_frame_holds_every_bit_of_each_step_that_is_told(
    steps: list[tuple[float, float]], before: int, durable: int, emit: Emit, asked: set[str]
) -> None:
    truth = many_outputs.expected(np.array(steps, np.float32))
    columns = to_columns(CONTRACT.outputs, [truth[name] for name in NAMES])
    end = before + len(steps)
    options = AnswerOptions(emit=emit, outputs=frozenset(asked))
    told = read(encode_arrays(CONTRACT, columns, end, durable, options), sorted(asked))
    assert told[:2] == (end, durable)
    every = {"last": end, "every": 1}.get(str(emit), emit)
    assert isinstance(every, int)
    places = [i for i in range(len(steps)) if (before + i + 1) % every == 0 or i == len(steps) - 1]
    assert list(told[2]) == [NAMES[0], *[name for name in NAMES[1:] if name in asked]]
    for name, array in told[2].items():
        assert array.dtype == truth[name].dtype
        np.testing.assert_array_equal(array, truth[name][places])


@pytest.mark.parametrize("count", [3, 257])
def test_a_classifiers_answer_is_its_head_and_its_logits(count: int) -> None:
    labels = [f"label {index}" for index in range(count)]
    contract = toy.CONTRACT.model_copy(update={"outputs": classes(labels)})
    logits = np.random.default_rng(0).standard_normal((1, count)).astype(np.float32)
    frame = encode_arrays(contract, logits, 1, 0, AnswerOptions())
    assert frame == HEAD.pack(1, 0, 1) + logits.tobytes()
    assert len(frame) == 24 + 4 * count
