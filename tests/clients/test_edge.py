"""The network at the edge, by onnxruntime-web in Node: it answers as the service does, and streams
change places without a step lost or twice."""

from __future__ import annotations

import base64
import json
import queue
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from larnn_client import Client
from tests import live
from tests.client.proxy import Fault, proxied
from tests.clients.node import Driver
from tests.until import until

MODELS = live.ROOT / "models"
BOUND = 1e-5
CHUNK = 20
RECORDING = live.ROOT / "examples" / "recording.npz"


def folder(model: str) -> str:
    """Of the version that the service answers with: the newest."""
    return str(max((MODELS / model).glob("[0-9]*")))


def channels(model: str) -> int:
    return len(
        json.loads((MODELS / model / "1" / "model.json").read_text())["contract"]["input"][
            "channels"
        ]
    )


def signal(steps: int, width: int) -> NDArray[np.float32]:
    """The example's recording, over and over: nine channels, of which the last six are raw."""
    with np.load(RECORDING) as recording:
        whole: NDArray[np.float32] = recording["signals"]
    return np.resize(whole, (steps, 9))[:, -width:].astype(np.float32)


def at_service(url: str, model: str, steps: NDArray[np.float32]) -> NDArray[np.float64]:
    """The logits of each step of an uninterrupted stream."""
    with Client(url) as client, client.stream(model=model, logits=True, emit="every") as stream:
        chunks = np.split(steps, range(CHUNK, len(steps), CHUNK))
        return np.array(
            [step.logits for each in stream.predict(chunks, ahead=8) for step in each.steps or ()]
        )


def worst(found: Any, right: NDArray[np.float64]) -> float:
    """Of the differences, over max(1, |logit|)."""
    difference: float = (np.abs(np.array(found) - right) / np.maximum(1, np.abs(right))).max()
    return difference


@pytest.mark.parametrize("model", ["larnn-har", "larnn-har-raw", "lstm-har", "gru-har"])
def test_it_answers_as_the_service_does_and_their_states_are_one(
    node: Driver, har_url: str, model: str
) -> None:
    steps = signal(400, channels(model))
    told = node.do(
        "offline", folder=folder(model), signal=steps[:300].tolist(), edges=[0, 1, 7, 120, 300]
    )
    right = at_service(har_url, model, steps)
    assert worst(np.reshape(told["logits"], right[:300].shape), right[:300]) < BOUND
    with httpx.Client(base_url=har_url, timeout=60) as http:
        stream = http.post("/streams", json={"model": model}).json()["stream"]
        put = http.put(f"/streams/{stream}/state", content=base64.b64decode(told["file"]))
        assert put.json()["position"] == 300, put.text
        asked = {"offset": 300, "steps": steps[300:].tolist(), "logits": True, "emit": "every"}
        answer = http.post(f"/streams/{stream}/steps", json=asked).json()
    assert worst([step["logits"] for step in answer["predictions"]], right[300:]) < BOUND


def check(
    told: dict[str, Any], edges: list[int], right: NDArray[np.float64], bound: float = BOUND
) -> None:
    """Each step is answered once, in order, and some by either side."""
    assert [each["position"] for each in told["predictions"]] == edges[1:]
    logits = [step["logits"] for each in told["predictions"] for step in each["steps"]]
    assert worst(logits, right) < bound
    assert {each["edge"] for each in told["predictions"]} == {True, False}
    assert told["ended"] == len(right)


@pytest.mark.parametrize("model", ["larnn-har", "gru-har"])
def test_a_stream_goes_on_without_its_network_and_returns(
    node: Driver, har_url: str, model: str
) -> None:
    steps = signal(1200, channels(model))
    edges = list(range(0, 1201, CHUNK))
    told = node.do(
        "edge",
        url=har_url,
        folder=folder(model),
        signal=steps.tolist(),
        edges=edges,
        cuts=[[100, 160], [400, 800], [820, 840]],
        options={"snapshotSteps": 100},
    )
    check(told, edges, at_service(har_url, model, steps))


def test_what_the_service_lost_comes_back_with_the_stream(node: Driver) -> None:
    """Its memory is gone with its process; the state of here is put into the next one."""
    steps = signal(600, 9)
    edges = list(range(0, 601, CHUNK))
    settings = {"models": MODELS}
    with ExitStack() as stack:
        first = stack.enter_context(live.process(**settings))
        proxy = stack.enter_context(proxied(first.url))
        right = at_service(first.url, "larnn-har", steps)
        outcome = node.begin(
            "edge",
            url=proxy.url,
            client={"retryFor": 300},
            folder=folder("larnn-har"),
            signal=steps.tolist(),
            edges=edges,
            cuts=[],
            options={"snapshotSteps": 100},
            paced=True,
        )
        _answer(node, 15)
        first.kill()
        _answer(node, 20)
        second = stack.enter_context(live.process(**settings))
        proxy.lead_to(second.url)
        _answer(node, len(edges) - 1)
        told = outcome.get(timeout=120)
    assert "outcome" in told, told
    check(told["outcome"], edges, right)
    assert all(each["edge"] for each in told["outcome"]["predictions"][15:20])


def test_another_client_that_resumes_the_stream_keeps_it(node: Driver, har_url: str) -> None:
    steps = signal(60, 9)
    stream = node.do("edgeOpen", url=har_url, folder=folder("larnn-har"))
    assert node.do("edgeSend", steps=steps[:20].tolist())["edge"] is False
    with Client(har_url) as client, client.stream(resume=stream, position=20) as other:
        other.send(steps[20:40])
        assert other.receive().position == 40
        told = node.error("edgeSend", steps=steps[20:40].tolist())
        assert told["error"] == "Moved"
        other.send(steps[40:])
        assert other.receive().position == 60


def test_an_attempt_that_was_given_up_and_arrives_late_takes_nothing_away(
    node: Driver, har_url: str
) -> None:
    steps = signal(100, 9).tolist()
    with proxied(har_url) as proxy:
        options = {"patience": 3_000}
        node.do("edgeOpen", url=proxy.url, folder=folder("larnn-har"), options=options)
        assert node.do("edgeSend", steps=steps[:20])["edge"] is False
        proxy.faults.append(Fault(late=True))
        proxy.cut()
        assert node.do("edgeSend", steps=steps[20:40])["position"] == 40
        assert node.do("edgeReturned", times=1) == [40]
        until(
            lambda: not node.do("edgeSend", steps=steps[40:60])["edge"],
            "it does not go back to the service",
        )
        proxy.release()
        assert node.do("edgeReturned", times=2)[0] == 40
        node.do("edgeSend", steps=steps[60:80])
        assert node.do("edgeEnd") >= 80


class Portal(ThreadingHTTPServer):
    """A network that answers in the place of everybody, until its guest has signed in."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.asked = queue.Queue[str]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Page(BaseHTTPRequestHandler):
    server: Portal

    def do_GET(self) -> None:
        page = b"<!doctype html><title>Welcome</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)
        self.server.asked.put(self.path)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def portal() -> Iterator[Portal]:
    with Portal() as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield server
        server.shutdown()
        serving.join(60)


def test_a_page_in_the_place_of_the_service_is_no_service(
    node: Driver, har_url: str, portal: Portal
) -> None:
    steps = signal(60, 9).tolist()
    with proxied(har_url) as proxy:
        options = {"patience": 300}
        node.do("edgeOpen", url=proxy.url, folder=folder("larnn-har"), options=options)
        assert node.do("edgeSend", steps=steps[:20])["edge"] is False
        proxy.lead_to(portal.url)
        proxy.cut()
        assert node.do("edgeSend", steps=steps[20:40])["edge"] is True
        for _ in range(3):
            while portal.asked.get(timeout=60) != "/models":
                pass
        proxy.lead_to(har_url)
        assert node.do("edgeReturned", times=1) == [40]
        assert node.do("edgeSend", steps=steps[40:])["position"] == 60
        assert node.do("edgeEnd") == 60


def test_a_full_buffer_says_why_no_newer_state_is_here(
    node: Driver, har_url: str, portal: Portal
) -> None:
    steps = signal(100, 9).tolist()
    with proxied(har_url) as proxy:
        options = {"snapshotSteps": 20, "maxBufferedSteps": 80}
        node.do("edgeOpen", url=proxy.url, folder=folder("larnn-har"), options=options)
        proxy.lead_to(portal.url)  # the websocket stays
        for start in range(0, 80, 20):
            node.do("edgeSend", steps=steps[start : start + 20])
        assert portal.asked.get(timeout=60).endswith("/state")
        told = node.error("edgeSend", steps=steps[80:])
        while "could not be fetched" not in told["detail"]:  # the answer is still on its way
            told = node.error("edgeSend", steps=steps[80:])
        assert told["error"] == "BufferFull"


def _answer(node: Driver, chunks: int) -> None:
    """Let so many chunks be sent, and wait for the last of their answers but the end's."""
    node.do("more", chunks=chunks)
    while node.answered.get(timeout=120) < chunks and chunks < 30:
        pass
