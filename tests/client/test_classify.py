"""Client.classify against the running service, and against addresses that fail."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from larnn_client import (
    AsyncClient,
    BadInput,
    Client,
    Full,
    Refused,
    TooLarge,
    UnknownModel,
    Unreachable,
)
from tests import live
from tests.client.proxy import Fault, proxied

ONES = np.ones((2, 3, 2))


@pytest.fixture
def dead_url() -> Iterator[str]:
    """An address that refuses: bound, and not listening."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def test_equal_lengths_and_ragged_ones_give_the_same(client: Client) -> None:
    equal = client.classify(ONES, logits=True)
    ragged = client.classify([np.ones((3, 2)), np.ones((1, 2))], logits=True, model="toy")
    assert (equal.model, equal.version) == ("toy", 1)
    assert [answer.logits for answer in equal.predictions] == [(3, 3, 3)] * 2
    assert [answer.logits for answer in ragged.predictions] == [(3, 3, 3), (1, 1, 1)]
    assert ragged.predictions[0].probabilities == equal.predictions[0].probabilities


def test_it_tells_what_is_served(client: Client) -> None:
    served = client.models()
    [model] = served.models
    assert (served.default, model.name, model.version) == ("toy", "toy", 1)
    assert (model.channels, model.sample_rate_hz) == ({"left": "g", "right": "g"}, 50.0)
    assert model.labels == ("LEFT", "RIGHT", "LONG")


def test_without_logits_there_are_none(client: Client) -> None:
    [answer] = client.classify([[[1, 2]]]).predictions
    assert (answer.label, answer.logits) == ("RIGHT", None)


@pytest.mark.parametrize(
    "sequences",
    [
        np.ones((3, 2)),
        [["a"]],
        [np.ones((2, 5))],
        [np.full((2, 2), np.nan)],
        [np.ones((1, 2)), np.full((2, 2), np.inf)],
        [],
    ],
)
def test_bad_input_is_said(client: Client, sequences: list[np.ndarray]) -> None:
    with pytest.raises(BadInput, match="sequence|array|channels"):
        client.classify(sequences)


def test_limits_and_models_have_their_own_errors(client: Client) -> None:
    with pytest.raises(TooLarge, match="too_large: "):
        client.classify(np.ones((1025, 1, 2)))
    with pytest.raises(UnknownModel, match="toy"):
        client.classify(ONES, model="other")


def test_a_dead_address_is_passed_over(toy_url: str, dead_url: str) -> None:
    with Client(dead_url, toy_url) as client:
        assert client.classify(ONES).model == "toy"


def test_broken_connections_are_tried_again(toy_url: str) -> None:
    with proxied(toy_url) as proxy, Client(proxy.url) as client:
        proxy.faults.extend([Fault(refuse=True), Fault(up=100), Fault(down=30)])
        assert client.classify(ONES).model == "toy"
        assert proxy.connections == 4


def test_no_address_answers(dead_url: str) -> None:
    with Client(dead_url, retry_for=0.2) as client, pytest.raises(Unreachable, match=r"0\.2 s"):
        client.classify(ONES)


def test_a_full_service_is_tried_for_as_long_as_told(toy_models: Path) -> None:
    with (
        live.running(models=toy_models, model="toy", max_waiting_steps=4) as url,
        Client(url, retry_for=0.5) as client,
    ):
        with pytest.raises(Full) as full:
            client.classify(ONES)
        assert full.value.retry_after == 1
        assert client.classify(ONES[:1]).model == "toy"


def test_an_address_that_is_not_the_service_is_said(toy_url: str) -> None:
    with Client(toy_url + "/elsewhere") as client:
        with pytest.raises(Refused, match="not_found"):
            client.classify(ONES)
        with pytest.raises(Refused, match="no stream at that address"), client.stream():
            pass
    with pytest.raises(ValueError, match="http://"):
        Client("localhost:8000")
    with pytest.raises(ValueError, match="at least one"):
        Client()


async def test_the_asynchronous_client_does_the_same(toy_url: str) -> None:
    async with AsyncClient(toy_url) as client:
        assert (await client.classify(ONES)).predictions[0].label == "LEFT"
