"""The native library writes each answer as the typed encoder does, to the byte."""

from __future__ import annotations

import os

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larnn_service.api.frames import text_frame
from larnn_service.backend.responses import Frame, can_write, write_answers, write_predictions
from larnn_service.wire.openapi import ClassifyAnswer
from larnn_service.wire.predictions import answer, answers
from larnn_service.wire.stream_schemas import PredictionMessage

if not can_write():
    reason = "larnn-kernels is not installed, or is older than its writer of answers"
    if os.environ.get("LARNN_KERNELS") == "required":
        pytest.fail(reason)
    pytest.skip(reason, allow_module_level=True)

LABELS = ("WALKING", 'a "quoted" Ü', "")
TEXTS = tuple(map(msgspec.json.encode, LABELS))
FRAME = Frame(b"HEAD ", b" TAIL\r\n", b'{"model":"m","version":1,"predictions":[', b"]}")
logits = st.floats(width=32, allow_nan=False, allow_infinity=False)
numbers = st.integers(0, 2**63 - 1)


@given(
    st.lists(
        st.tuples(st.lists(logits, min_size=3, max_size=3), st.booleans()), min_size=1, max_size=9
    )
)
def test_they_are_the_same(rows: list[tuple[list[float], bool]]) -> None:
    array = np.array([row for row, _ in rows], dtype=np.float32)
    flags = [flag for _, flag in rows]
    responses = write_answers(list(array[:, None]), TEXTS, FRAME, flags)
    for row, flag, response in zip(array, flags, responses, strict=True):
        body = msgspec.json.encode(ClassifyAnswer("m", 1, answers([row], LABELS, flag)))
        assert response.whole[response.body :] == body
        assert response.whole[: response.body] == b"HEAD %d TAIL\r\n" % len(body)


@pytest.mark.parametrize("size", [1, 300])
def test_any_number_of_classes(size: int) -> None:
    """The widest numbers that there are, too."""
    labels = tuple(map(str, range(size)))
    row = np.full(size, -1.2345678e-38, dtype=np.float32)
    row[0] = 3e38
    [response] = write_answers([row[None]], tuple(map(msgspec.json.encode, labels)), FRAME, [True])
    body = msgspec.json.encode(ClassifyAnswer("m", 1, answers([row], labels, True)))
    assert response.whole[response.body :] == body


@given(
    st.lists(
        st.tuples(st.lists(logits, min_size=3, max_size=3), st.booleans(), numbers, numbers),
        min_size=1,
        max_size=9,
    )
)
def test_predictions_are_the_same_too(rows: list[tuple[list[float], bool, int, int]]) -> None:
    each = [np.array([row], dtype=np.float32) for row, *_ in rows]
    places = [(position, durable) for _, _, position, durable in rows]
    frames = write_predictions(each, TEXTS, places, [flag for _, flag, *_ in rows])
    for row, (_, flag, position, durable), frame in zip(each, rows, frames, strict=True):
        told = answer(row[0].tolist(), LABELS, flag)
        message = PredictionMessage(
            label=told.label,
            probabilities=told.probabilities,
            logits=told.logits,
            position=position,
            durable=durable,
        )
        assert frame == text_frame(msgspec.json.encode(message))


@pytest.mark.parametrize("size", [1, 2, 60, 40_000])
def test_frames_of_any_length(size: int) -> None:
    row, labels = np.zeros((1, 1), dtype=np.float32), ("x" * size,)
    [frame] = write_predictions([row], tuple(map(msgspec.json.encode, labels)), [(1, 0)], [False])
    told = answer([0.0], labels, False)
    message = PredictionMessage(
        label=told.label, probabilities=told.probabilities, position=1, durable=0
    )
    assert frame == text_frame(msgspec.json.encode(message))
