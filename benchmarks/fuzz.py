"""Hostile frames and requests, many of them: nothing fails but what was sent."""

from __future__ import annotations

import io
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import requests
import schemathesis
import typer
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok

from benchmarks import hostile
from benchmarks.attack import MAX_MESSAGE, Attack, Bystander, openable
from benchmarks.measure import machine, write
from benchmarks.server import Server, free_port, resident_bytes, running
from tests import toy

STREAMS = 50
BLOCK = 200
"""Examples of hypothesis between two looks at how many frames and requests were sent."""

Kind = Callable[[], Callable[..., None]]
"""Makes a test of hypothesis, anew for each block."""


def fuzz(
    count: Annotated[int, typer.Option("--requests", help="frames and requests to send")] = 100_000,
    start: Annotated[int, typer.Option("--seed", help="the same draws the same")] = 0,
    output: Annotated[Path | None, typer.Option(help="write the figures as JSON")] = None,
) -> None:
    """Half websocket frames, half HTTP, by hypothesis and by schemathesis, against the toy."""
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # of connections that are reset
    with tempfile.TemporaryDirectory() as folder:
        toy.publish(Path(folder))
        port = free_port()
        environment = {"MODELS": folder, "MODEL": "toy", "PORT": str(port), "LOG_LEVEL": "error"}
        environment |= {
            "MAX_STREAMS": str(STREAMS),
            "MAX_CHUNK_STEPS": "8",
            "MAX_MESSAGE": str(MAX_MESSAGE),
        }
        environment = {f"LARNN_{name}": value for name, value in environment.items()}
        command = [sys.executable, "-m", "service"]
        with running(command, port, "/readyz", environment) as server:
            record = machine() | _attacked(server, count, start)
    for name, value in record.items():
        print(f"{name:16} {value}")
    write(record, output)


def _attacked(server: Server, count: int, start: int) -> dict[str, Any]:
    url = f"http://127.0.0.1:{server.port}"
    attack, bystander = Attack(url), Bystander(url)
    began = time.perf_counter()
    memory: list[int] = []
    kinds: list[Kind] = [
        partial(_websockets, attack),
        partial(_bodies, attack),
        *_documented(attack),
    ]
    shares = [0.5, 0.2, *[0.3 / (len(kinds) - 2)] * (len(kinds) - 2)]
    for part in range(10):  # memory is looked at after each tenth
        for number, (kind, share) in enumerate(zip(kinds, shares, strict=True)):
            until = attack.sent + count * share / 10
            block = 0
            while attack.sent < until:
                block += 1
                examples = min(BLOCK, int(until - attack.sent) + 1)
                _run(kind, examples, hash((start, part, number, block)))
                bystander.step()
        memory.append(resident_bytes(server.pid))
    steps = bystander.steps
    bystander.step()
    left = openable(attack.http, STREAMS)
    assert left == STREAMS - 1, f"of {STREAMS} streams {STREAMS - 1 - left} were left behind"
    bystander.close()
    return {
        "command": "fuzz",
        "sent": attack.sent,
        "seconds": round(time.perf_counter() - began, 1),
        "bystander_steps": steps,
        "resident_bytes": memory,
        "answers": dict(sorted(attack.answers.items())),
    }


def _run(kind: Kind, examples: int, number: int) -> None:
    """Its test with so many examples. Raises what it finds, made small."""
    limits = settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    seed(number)(limits(kind()))()


def _websockets(attack: Attack) -> Callable[..., None]:
    @given(query=hostile.queries, subprotocol=hostile.subprotocols, bursts=hostile.bursts)
    def test(
        query: dict[str, str], subprotocol: str | None, bursts: list[list[hostile.Frame]]
    ) -> None:
        attack.websocket(query, subprotocol, bursts)

    return test


def _bodies(attack: Attack) -> Callable[..., None]:
    """Each door that reads a body, with a good one that was damaged."""
    array = io.BytesIO()
    np.save(array, np.zeros((1, 3, 2), dtype=np.float32))
    opened = attack.http.post("/streams").json()["stream"]
    attack.http.post(f"/streams/{opened}/steps", json={"offset": 0, "steps": [[1, 2]]})
    state = attack.http.get(f"/streams/{opened}/state").content
    attack.http.delete(f"/streams/{opened}")
    doors = {
        ("POST", "/classify", "application/json"): b'{"sequences": [[[1, 2], [3, 4]]]}',
        ("POST", "/classify", "application/x-npy"): array.getvalue(),
        ("POST", "/streams", "application/json"): b'{"model": "toy"}',
        ("POST", "/streams/ID/steps", "application/json"): b'{"offset": 0, "steps": [[1, 2]]}',
        ("PUT", "/streams/ID/state", "application/octet-stream"): state,
    }

    @given(door=st.sampled_from(list(doors)), data=st.data())
    def test(door: tuple[str, str, str], data: st.DataObject) -> None:
        method, path, kind = door
        body = data.draw(hostile.bodies(doors[door]))
        with _Stream(attack.http, needed="ID" in path) as stream:
            answer = attack.http.request(
                method, path.replace("ID", stream), content=body, headers={"Content-Type": kind}
            )
            attack.request(answer)

    return test


def _documented(attack: Attack) -> Iterator[Kind]:
    """Each operation of the OpenAPI document, as it says and as it does not."""
    session = requests.Session()
    session.trust_env = False
    document = schemathesis.openapi.from_url(f"{attack.url}/openapi.json")
    for result in document.get_all_operations():
        assert isinstance(result, Ok), "the document describes an operation wrongly"
        yield partial(_operation, attack, session, result.ok())


def _operation(attack: Attack, session: requests.Session, operation: Any) -> Callable[..., None]:
    good, bad = (
        operation.as_strategy(generation_mode=mode) for mode in schemathesis.GenerationMode
    )

    @given(case=st.one_of(good, bad), real=st.booleans())
    def test(case: Any, real: bool) -> None:
        with _Stream(attack.http, needed=real and "stream_id" in case.path_parameters) as stream:
            if stream:
                case.path_parameters["stream_id"] = stream
            operates = "name" in case.path_parameters
            if operates and real:
                case.path_parameters["name"] = "toy"
            attack.request(session.request(**case.as_transport_kwargs(base_url=attack.url)))
            if operates:  # it may have unloaded what the others are about to ask
                attack.http.post("/models/toy/load").raise_for_status()

    return test


class _Stream:
    """A stream of one's own for one request, if it is needed; nothing is left of it."""

    def __init__(self, http: httpx.Client, needed: bool) -> None:
        self._http, self._needed, self._id = http, needed, ""

    def __enter__(self) -> str:
        if self._needed:
            self._id = self._http.post("/streams").json()["stream"]
        return self._id

    def __exit__(self, *_: object) -> None:
        if self._id:
            self._http.delete(f"/streams/{self._id}")
