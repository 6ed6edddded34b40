"""However a recording is cut for the network, its steps are those of the file, in place."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from larnn_cli.chunks import cut, from_lines
from larnn_export.data.described import windows

SIZES = st.integers(1, 12)


def _signal(steps: int) -> np.ndarray:
    return np.arange(2 * steps, dtype=np.float32).reshape(steps, 2)


@given(steps=SIZES, more=st.integers(0, 40), hop=SIZES)
def test_windows_are_slices_one_each_hop(steps: int, more: int, hop: int) -> None:
    values = _signal(steps + more)
    found = windows(values, steps, hop)
    starts = range(0, more + 1, hop)
    assert len(found) == len(starts)
    for window, start in zip(found, starts, strict=True):
        np.testing.assert_array_equal(window, values[start : start + steps])


@given(steps=st.integers(0, 40), size=SIZES)
def test_chunks_are_the_recording(steps: int, size: int) -> None:
    chunks = list(cut(_signal(steps), size))
    assert all(len(chunk) == size for chunk in chunks[:-1])
    np.testing.assert_array_equal(np.concatenate([_signal(0), *chunks]), _signal(steps))


FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(
    rows=st.lists(st.tuples(FLOATS, FLOATS), min_size=1, max_size=20),
    size=SIZES,
    as_json=st.booleans(),
    header=st.booleans(),
)
def test_lines_come_back_as_they_were_written(
    rows: list[tuple[float, float]], size: int, as_json: bool, header: bool
) -> None:
    if header:
        lines = [["right", "time", "left"]] + [[right, 0.0, left] for left, right in rows]
    else:
        lines = [[left, right] for left, right in rows]
    written = [json.dumps(line) if as_json else ",".join(map(str, line)) for line in lines]
    found = np.concatenate(list(from_lines(written, ["left", "right"], size)))
    np.testing.assert_array_equal(found, np.array(rows, np.float32))
