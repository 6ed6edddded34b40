"""What no client should send: frames and bodies, drawn by hypothesis."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from benchmarks.our_streams import BINARY

CHANNELS = 2
"""Of the toy that is attacked."""

_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-1, 2**31, 2**53, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**400]),
    st.floats(),
    st.text(max_size=8),
)
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
_numbers = st.one_of(
    st.integers(-9, 9), st.floats(-9, 9, width=32), st.sampled_from([3e38, 1e39, -3.4e38])
)
_steps = st.lists(st.lists(_numbers, min_size=CHANNELS, max_size=CHANNELS), min_size=1, max_size=4)
_ragged = st.lists(st.lists(_numbers, max_size=3), max_size=4)


@dataclass(frozen=True)
class Relative:
    """An offset counted from wherever the stream stands."""

    by: int


_offsets = st.one_of(st.integers(-3, 3).map(Relative), _scalars)
_chunks = st.fixed_dictionaries(
    {
        "type": st.one_of(st.just("chunk"), st.just("chunk"), _scalars),
        "offset": st.one_of(st.just(Relative(0)), _offsets),
        "steps": st.one_of(_steps, _steps, _ragged, _values),
    },
    optional={
        "acked": _offsets,
        "logits": _scalars,
        "emit": st.one_of(st.sampled_from(["last", "every"]), _scalars),
        "another": _values,
    },
)

_GOOD = {"type": "chunk", "offset": Relative(0), "steps": [[1, 2]]}
_almost = st.one_of(
    st.builds(
        lambda field, value: _GOOD | {field: value}, st.sampled_from([*_GOOD, "acked"]), _offsets
    ),
    st.builds(lambda offset, steps: _GOOD | {"offset": offset, "steps": steps}, _offsets, _steps),
    st.builds(
        lambda steps, emit: _GOOD | {"steps": steps, "emit": emit},
        _ragged,
        st.sampled_from(["last", "every", "none"]),
    ),
    st.builds(lambda steps: _GOOD | {"steps": steps * 3}, _steps),
)
"""A chunk with one thing wrong, or nothing."""


@dataclass(frozen=True)
class Frame:
    """One message: `message` is either told as JSON, cut short, or taken as it is."""

    message: Any
    cut: int | None = None
    text: bool = True

    def payload(self, position: int) -> bytes:
        """What goes over the wire to a stream at this position."""
        if isinstance(self.message, bytes):
            whole = self.message
        elif isinstance(self.message, tuple):
            offset, steps = self.message
            place = max(position + offset.by, 0) if isinstance(offset, Relative) else offset
            whole = struct.pack("<Q", place % 2**64) + steps
        else:
            whole = _json(_placed(self.message, position))
        return whole[: self.cut]

    def is_text(self, payload: bytes) -> bool:
        """Whether a text frame is UTF-8, as it must be."""
        return not self.text or payload.decode(errors="replace").encode() == payload


def _placed(message: Any, position: int) -> Any:
    if isinstance(message, Relative):
        return position + message.by
    if isinstance(message, dict):
        return {key: _placed(value, position) for key, value in message.items()}
    return message


_cuts = st.one_of(st.none(), st.none(), st.integers(0, 120))
_floats = st.one_of(
    st.lists(st.floats(width=32), max_size=8).map(lambda row: struct.pack(f"<{len(row)}f", *row)),
    st.binary(max_size=40),
)
frames = st.one_of(
    *[st.builds(Frame, _almost)] * 4,
    st.builds(Frame, _chunks, _cuts),
    st.builds(Frame, _values),
    st.builds(Frame, st.binary(max_size=40), text=st.booleans()),
    st.builds(
        Frame,
        st.tuples(st.one_of(st.builds(Relative, st.integers(-3, 3)), st.integers(0)), _floats),
        _cuts,
        st.just(False),
    ),
    st.just(Frame({"type": "end"})),
)
bursts = st.lists(st.lists(frames, min_size=1, max_size=6), min_size=1, max_size=8)
"""What is sent before any answer is read, again and again."""

queries: st.SearchStrategy[dict[str, str]] = st.one_of(
    st.just({}),
    st.just({}),
    st.fixed_dictionaries(
        {},
        optional={
            "emit": st.sampled_from(["last", "every", "", "EVERY"]),
            "logits": st.sampled_from(["true", "false", "1", ""]),
            "model": st.one_of(st.just("toy"), st.text(max_size=8)),
            "stream": st.one_of(st.text(max_size=48), st.text("0123456789abcdef", max_size=60)),
        },
    ),
)
subprotocols = st.sampled_from([None, None, BINARY, "larnn.json.v1", "graphql-ws"])


@st.composite
def bodies(draw: st.DrawFn, whole: bytes) -> bytes:
    """A good body with some of its bytes changed, cut off, or something else altogether."""
    if draw(st.booleans()):
        return draw(st.one_of(st.binary(max_size=200), _values.map(_json), _chunks.map(_body)))
    changed = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        if changed:
            changed[draw(st.integers(0, len(changed) - 1))] = draw(st.integers(0, 255))
    return bytes(changed[: draw(st.one_of(st.none(), st.integers(0, len(changed))))])


def _json(value: Any) -> bytes:
    return json.dumps(value).encode(errors="surrogatepass")


def _body(chunk: dict[str, Any]) -> bytes:
    return _json(_placed({key: value for key, value in chunk.items() if key != "type"}, 0))
