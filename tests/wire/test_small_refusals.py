"""What is small enough to be read in the event loop is refused in less than 10 ms."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from safetensors.numpy import save

from larnn_service.contract import GraphFile, Input, Manifest
from larnn_service.endpoints.oip.tensors import from_json
from larnn_service.errors import BadMessage, ServiceError
from larnn_service.inputs import Range
from larnn_service.interfaces import Model
from larnn_service.wire import state_file
from larnn_service.wire.arrays import json_sequences, npy_sequences
from larnn_service.wire.http import MOST_PARAMETERS, Head
from larnn_service.wire.http_schemas import ClassifyBody
from larnn_service.wire.json_bodies import decode_json
from larnn_service.wire.large_json import LARGE
from tests import toy
from tests.engine.bench import Sums

SECONDS = 0.01
"""Of this thread's own time, in the best of a few tries."""
SIZE = LARGE - 100
"""Bytes of what is read in the loop."""


def refusal(work: Callable[[], object]) -> str:
    """What is told, and soon."""
    tries, told = [], ""
    for _ in range(7):
        begin = time.thread_time()
        try:
            work()
        except ServiceError as error:
            told = error.detail
        tries.append(time.thread_time() - begin)
    assert min(tries) < SECONDS, tries
    assert told
    return told


def model(width: int) -> Model:
    step = Input(range=Range(prefix="x", count=width, unit="1"))
    contract = toy.CONTRACT.model_copy(update={"input": step})
    graph = GraphFile(file="model.onnx", sha256="0" * 64)
    return Model(
        Manifest(name="it", version=1, description="", contract=contract, graph=graph, network={}),
        Sums(),
    )


def everything(steps: list[int]) -> None:
    """No number of steps is too large."""


ENDS = {"infinite": b"[%b1e99]", "a text": b'[%b"1"]', "short": b"[]", "none": b"", "null": b"null"}


@pytest.mark.parametrize("width", [1, 2, 9, 200])
@pytest.mark.parametrize("end", ENDS)
def test_numbers_whose_end_is_wrong(width: int, end: str) -> None:
    row = b"[" + b"0," * (width - 1) + b"0]"
    last = ENDS[end].replace(b"%b", b"0," * (width - 1))
    rows = b",".join([row] * (SIZE // (len(row) + 1)) + ([last] if last else []))
    raw, own = msgspec.Raw(b"[[" + rows + b"]]"[: None if last else -1]), model(width)
    assert "sequences" in refusal(lambda: json_sequences(raw, own, 9, 10**6, everything))


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("most", [1, 1024])
def test_sequences_of_a_step_each(width: int, most: int) -> None:
    sequence = b"[[" + b"0," * (width - 1) + b"0]],"
    raw = msgspec.Raw(b"[" + sequence * (min(most, SIZE // len(sequence)) - 1) + b"[[]]]")
    assert "sequences[" in refusal(
        lambda: json_sequences(raw, model(width), most, 10**6, everything)
    )


@pytest.mark.parametrize("datatype", ["FP32", "INT64", "BOOL"])
@pytest.mark.parametrize(
    "text",
    [b"[" + b"[0,0]," * (SIZE // 6) + b"[0]]", b"[" + b"0," * (SIZE // 2) + b"{}]", b"[" * SIZE],
    ids=["ragged", "an object last", "brackets"],
)
def test_numbers_of_a_tensor(datatype: str, text: bytes) -> None:
    given = msgspec.Raw(text.replace(b"0", b"false") if datatype == "BOOL" else text)
    if len(given) > LARGE:
        given = msgspec.Raw(bytes(given)[:10_000] + b"]")
    assert "input x" in refusal(lambda: from_json("x", datatype, 4, given))


@pytest.mark.parametrize(
    "header",
    [
        b"+," * 1950,
        b"[" * 3000,
        b"1_" * 1900,
        b"-" * 3900,
        b"'" * 3900,
        b"(" * 90 + b"1",
        b"a " * 99,
    ],
    ids=["signs", "brackets", "digits", "minuses", "quotes", "nested", "names"],
)
@pytest.mark.parametrize("version", [1, 2])
def test_a_header_of_an_array(header: bytes, version: int) -> None:
    size = (len(header) + 1).to_bytes(2 * version, "little")
    body = b"\x93NUMPY" + bytes([version, 0]) + size + header + b"\n" + b"\0" * 16
    told = refusal(lambda: npy_sequences(body, model(2), everything))
    assert told.startswith("the body is not an npy file")


@pytest.mark.parametrize("query", ["a&" * 8000, "a=1&" * 4000, "%C3=%A9&" * 1900])
def test_an_address_of_many_parameters(query: str) -> None:
    told = refusal(lambda: Head("GET", "/", query, {}).query)
    assert told == f"the address has more than {MOST_PARAMETERS} parameters"
    few = "&".join(f"{number}={number}" for number in range(MOST_PARAMETERS))
    assert len(Head("GET", "/", few, {}).query) == MOST_PARAMETERS


def state(entries: str, more: str = "") -> bytes:
    metadata = json.dumps({"model": "toy", "version": "1", "position": "0"})
    header = f'{{"__metadata__":{metadata}{entries}}}{more}'.encode()
    return len(header).to_bytes(8, "little") + header


_EMPTY = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
STATES = {
    "many tensors": state("".join(f',"{n:x}":{_EMPTY}' for n in range(14_000))),
    "a header of tensors": state("".join(f',"{n:x}":{_EMPTY}' for n in range(1_000))),
    "one name": state(f',"x":{_EMPTY}' * 1_000),
    "small entries": state("".join(f',"{n:x}":0' for n in range(7_000))),
    "spaces": state("", " " * 2**20),
    "brackets": state(',"x":' + "[" * 60_000),
    "a size of its own": (2**63).to_bytes(8, "little") + b"{}",
}


@pytest.mark.parametrize("what", STATES)
def test_the_header_of_a_state(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    made: list[Any] = []

    def load(body: bytes) -> Any:
        made.append(body)
        raise ValueError("it was looked into")

    refusal(lambda: state_file.read(STATES[what], toy.CONTRACT))
    if what != "one name":
        monkeypatch.setattr(state_file, "load", load)
        with pytest.raises(BadMessage):
            state_file.read(STATES[what], toy.CONTRACT)
        assert not made


def test_a_state_with_each_of_its_tensors_is_read() -> None:
    tensors: dict[str, Any] = {"total": np.zeros((1, 2), np.float32), "seen": np.zeros(1, np.int64)}
    outputs = {"logits": np.zeros((1, 4, 3), np.float32)}
    metadata = {"model": "toy", "version": "1", "position": "4"}
    told = state_file.read(save(tensors | outputs, metadata), toy.CONTRACT)
    assert (told.state.keys(), told.outputs.keys()) == (tensors.keys(), outputs.keys())
    more = tensors | outputs | {"more": np.zeros(1, np.float32)}
    with pytest.raises(BadMessage, match="more: no state tensor of this model"):
        state_file.read(save(more, metadata), toy.CONTRACT)


def test_names_around_a_number_are_told_in_part() -> None:
    body = b'{"%b": {"%b": {"%b": NaN}}}' % ((b"x" * 150,) * 3)
    decoder = msgspec.json.Decoder(ClassifyBody)
    assert refusal(lambda: decode_json(decoder, body)).count("x") <= 100
