"""The client on services with a store: replicas are killed, the store goes away and comes back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from benchmarks.server import free_port
from larnn_client import Client, Unavailable
from tests import live, valkey
from tests.client.recording import SIGNAL, STEPS, check

EDGES = list(range(0, STEPS + 1, 3))
CHUNKS = [SIGNAL[a:b] for a, b in zip(EDGES[:-1], EDGES[1:], strict=True)]


@pytest.fixture
def rare(toy_models: Path) -> dict[str, Any]:
    """Settings under which a fault finds steps without a checkpoint."""
    return {"models": toy_models, "model": "toy", "checkpoint_steps": 25}


@pytest.mark.parametrize("ahead", [1, 4])
@pytest.mark.parametrize("binary", [False, True])
def test_it_goes_on_at_the_other_replica_when_one_is_killed(
    rare: dict[str, Any], valkey_server: valkey.Server, ahead: int, binary: bool
) -> None:
    with ExitStack() as stack:
        one, other = [
            stack.enter_context(live.process(**rare, store=valkey_server.url)) for _ in range(2)
        ]
        client = stack.enter_context(Client(one.url, other.url))
        stream = stack.enter_context(client.stream(logits=True, emit="every", binary=binary))
        predictions = []
        for prediction in stream.predict(CHUNKS, ahead=ahead):
            predictions.append(prediction)
            if len(predictions) == len(CHUNKS) // 2:
                one.kill()
        check(predictions, EDGES)
        assert stream.end() == STEPS


def test_it_goes_on_with_a_process_that_was_killed_and_started_again(
    rare: dict[str, Any], tmp_path: Path
) -> None:
    settings = rare | {"store": f"sqlite:///{tmp_path}/streams.db", "port": free_port()}
    with ExitStack() as stack:
        first = stack.enter_context(live.process(**settings))
        client = stack.enter_context(Client(first.url))
        stream = stack.enter_context(client.stream(logits=True, emit="every"))
        predictions = []
        for prediction in stream.predict(CHUNKS, ahead=4):
            predictions.append(prediction)
            if len(predictions) == len(CHUNKS) // 2:
                first.kill()
                stack.enter_context(live.process(**settings))
        check(predictions, EDGES)
        assert stream.end() == STEPS


@pytest.mark.usefixtures("valkey_program")
def test_a_store_that_is_away_is_waited_for(rare: dict[str, Any], tmp_path: Path) -> None:
    with (
        valkey.running(tmp_path) as store,
        live.process(**rare, store=store.url, store_timeout=1) as service,
        Client(service.url, retry_for=0.2) as hasty,
        Client(service.url) as patient,
        ThreadPoolExecutor() as threads,
    ):
        stream = patient.stream(logits=True, emit="every")
        with stream:
            predictions = list(stream.predict(CHUNKS[:10]))
            store.kill()
            predictions += stream.predict(CHUNKS[10:])
            with pytest.raises(Unavailable, match="does not answer"), hasty.stream():
                pass
            ending = threads.submit(stream.end)
            opening = threads.submit(_opened_position, patient)
            store.start()
            assert ending.result(60) == STEPS
            assert opening.result(60) == 0
        check(predictions, EDGES)


def _opened_position(client: Client) -> int:
    with client.stream() as stream:
        return stream.opened.position
