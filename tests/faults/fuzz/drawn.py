"""Inputs of hypothesis, and of schemathesis from the OpenAPI document; a finding is made small."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok

from tests.faults.fuzz.http_door import HttpDoor
from tests.faults.fuzz.http_inputs import JSON, SPARE
from tests.faults.fuzz.http_wire import PATIENCE
from tests.faults.fuzz.verdicts import Finding, Tally, check_response
from tests.faults.fuzz.websocket_door import WebSocketDoor

BLOCK = 100
"""Examples of one test of hypothesis."""
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
_ROWS = st.lists(st.lists(st.floats(-9, 9, width=32), max_size=3), max_size=4)
_BODIES = st.dictionaries(
    st.sampled_from(("type", "offset", "steps", "sequences", "acked", "emit", "inputs", "model")),
    _VALUES | _ROWS | st.lists(_ROWS, max_size=2) | st.just("chunk") | st.just(0),
)
_DOCUMENTS = (_VALUES | _BODIES).map(lambda value: json.dumps(value).encode()) | st.binary()
_PATHS = ("/classify", "/streams", "/streams/ID/steps", "/v2/models/toy/infer")
Kind = Callable[[], Callable[..., None]]
"""Makes a test of hypothesis, anew for each block."""


def draw(url: str, start: str, count: int, until: float) -> Tally:
    """As many inputs of either library; no block of them begins after `until`."""
    tally = Tally()
    http, websocket = HttpDoor(url, tally), WebSocketDoor(url, tally)
    own: list[Kind] = [partial(_bodies, http), partial(_messages, websocket)]
    documented = list(_documented(url, tally))
    block = 0
    while tally.sent.total() < count and time.monotonic() < until:
        for kind in (own[block % 2], documented[block % len(documented)]):
            test = settings(
                max_examples=min(BLOCK, count),
                database=None,
                deadline=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            )(kind())
            try:
                seed(f"{start}/{block}")(test)()
            except Finding as finding:
                tally.find(
                    finding, f"{start}/{block}", "\n".join(getattr(finding, "__notes__", []))
                )
                http, websocket = HttpDoor(url, tally), WebSocketDoor(url, tally)
                own = [partial(_bodies, http), partial(_messages, websocket)]
        block += 1
    http.close()
    websocket.close()
    return tally


def _bodies(http: HttpDoor) -> Callable[..., None]:
    @given(path=st.sampled_from(_PATHS), body=_DOCUMENTS)
    def test(path: str, body: bytes) -> None:
        http.body("POST", path, JSON, body)

    return test


def _messages(websocket: WebSocketDoor) -> Callable[..., None]:
    @given(messages=st.lists(st.tuples(_DOCUMENTS, st.just(True)), min_size=1, max_size=3))
    def test(messages: list[tuple[bytes, bool]]) -> None:
        websocket.send([(data.decode(errors="replace").encode(), text) for data, text in messages])

    return test


def _documented(url: str, tally: Tally) -> Iterator[Kind]:
    """Each operation of the OpenAPI document, as it says and as it does not."""
    session = requests.Session()
    session.trust_env = False
    document = schemathesis.openapi.from_url(f"{url}/openapi.json")
    for result in document.get_all_operations():
        assert isinstance(result, Ok), "the document describes an operation wrongly"
        yield partial(_operation, url, tally, session, result.ok())


def _operation(
    url: str, tally: Tally, session: requests.Session, operation: Any
) -> Callable[..., None]:
    good, bad = (
        operation.as_strategy(generation_mode=each) for each in schemathesis.GenerationMode
    )

    @given(case=good | bad, real=st.booleans())
    def test(case: Any, real: bool) -> None:
        if "name" in case.path_parameters:
            unloads = str(case.path).endswith(("load", "migrate"))
            case.path_parameters["name"] = SPARE if unloads or not real else "toy"
        stream = ""
        if real and "stream_id" in case.path_parameters:
            stream = session.post(f"{url}/streams", timeout=PATIENCE).json()["stream"]
            case.path_parameters["stream_id"] = stream
        asked = case.as_transport_kwargs(base_url=url)
        answer = session.request(**asked, timeout=PATIENCE)
        tally.sent["documented"] += 1
        headers = {name.lower(): value for name, value in answer.headers.items()}
        told = check_response(answer.status_code, headers, answer.content, None, repr(asked))
        tally.answers[f"HTTP {told}"] += 1
        left = [stream, answer.json()["stream"]] if answer.status_code == 201 else [stream]
        for each in filter(None, left):
            session.delete(f"{url}/streams/{each}", timeout=PATIENCE)

    return test
