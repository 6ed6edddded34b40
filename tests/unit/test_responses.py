"""The native library writes each answer as the typed encoder does, to the byte."""

from __future__ import annotations

import os

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.answers import answers
from service.api.schemas import ClassifyAnswer
from service.backend.responses import Frame, can_write, write_answers

if not can_write():
    reason = "larnn-kernels is not installed, or is older than its writer of answers"
    if os.environ.get("LARNN_KERNELS") == "required":
        pytest.fail(reason)
    pytest.skip(reason, allow_module_level=True)

LABELS = ("WALKING", 'a "quoted" Ü', "")
TEXTS = list(map(msgspec.json.encode, LABELS))
FRAME = Frame(b"HEAD ", b" TAIL\r\n", b'{"model":"m","version":1,"predictions":[', b"]}")
logits = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(
    st.lists(
        st.tuples(st.lists(logits, min_size=3, max_size=3), st.booleans()), min_size=1, max_size=9
    )
)
def test_they_are_the_same(rows: list[tuple[list[float], bool]]) -> None:
    array = np.array([row for row, _ in rows], dtype=np.float32)
    flags = [flag for _, flag in rows]
    responses = write_answers(array, TEXTS, FRAME, flags)
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
    [response] = write_answers(row[None], list(map(msgspec.json.encode, labels)), FRAME, [True])
    body = msgspec.json.encode(ClassifyAnswer("m", 1, answers([row], labels, True)))
    assert response.whole[response.body :] == body
