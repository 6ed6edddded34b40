"""What a client sees of a store that outlives the process, against the running service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from websockets.sync.client import connect

from larnn_service.settings import Settings
from tests import live
from tests.server.test_stream import Talk
from tests.server.test_streams import steps


@pytest.fixture(scope="module")
def settings(toy_models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file = tmp_path_factory.mktemp("store") / "streams.db"
    return {
        "models": toy_models,
        "model": "toy",
        "store": f"sqlite:///{file}",
        "checkpoint_steps": 10,
        "checkpoint_interval": 600,
    }


@pytest.fixture(scope="module")
def url(settings: dict[str, Any]) -> Iterator[str]:
    with live.running(**settings) as url:
        yield url


def test_durable_follows_the_position_by_the_policy(url: str) -> None:
    with connect(live.websocket_url(url)) as socket:
        talk = Talk(socket)
        opened = talk.hear()
        assert (opened["survives"], opened["durable"]) == ("restart", 0)
        assert talk.chunk(0, [[1, 2]] * 9)["durable"] == 0
        offset = 9
        while (durable := talk.chunk(offset, [[1, 2]])["durable"]) == 0:
            offset += 1
        assert 10 <= durable <= offset


def test_over_http_every_answer_is_durable(url: str) -> None:
    with httpx.Client(base_url=url, timeout=120) as client:
        stream = client.post("/streams").json()["stream"]
        answer = steps(client, stream, 0, 3).json()
        assert (answer["position"], answer["durable"]) == (3, 3)


def test_an_idle_stream_comes_back_on_the_next_chunk(settings: dict[str, Any]) -> None:
    """The streams are idle at once: between any two chunks they may have left memory."""
    with (
        live.running(**settings | {"idle_timeout": 0.001}) as url,
        connect(live.websocket_url(url)) as socket,
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        talk = Talk(socket)
        talk.hear()
        other = client.post("/streams").json()["stream"]
        durable = position = 0
        while position < 200 or not durable:
            answer = talk.chunk(position, [[1, 2]], logits=True)
            assert answer["logits"] == [position + 1, 2 * position + 2, position + 1]
            durable, position = answer["durable"], position + 1
        assert steps(client, other, 0).json()["logits"] == [1, 2, 1]


def test_an_end_is_stored(url: str) -> None:
    with connect(live.websocket_url(url)) as socket:
        talk = Talk(socket)
        stream = talk.hear()["stream"]
        talk.chunk(0, [[1, 2]])
        assert talk.say({"type": "end"}) == {"type": "ended", "position": 1}
    assert httpx.get(f"{url}/streams/{stream}", timeout=60).json()["durable"] == 1


def test_ids_of_before_a_restart_are_known(settings: dict[str, Any]) -> None:
    with live.running(**settings) as url:
        gone, kept = (httpx.post(f"{url}/streams", timeout=60).json()["stream"] for _ in range(2))
        httpx.delete(f"{url}/streams/{gone}", timeout=60)
    with live.running(**settings) as url:
        assert httpx.get(f"{url}/streams/{kept}", timeout=60).json()["position"] == 0
        answer = httpx.get(f"{url}/streams/{gone}", timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (410, "expired")


def test_a_drained_connection_has_its_checkpoint_before_it_closes(
    settings: dict[str, Any],
) -> None:
    with live.process(**settings) as service, connect(live.websocket_url(service.url)) as socket:
        talk = Talk(socket)
        stream = talk.hear()["stream"]
        assert talk.chunk(0, [[1, 2]] * 3)["durable"] == 0
        service.popen.terminate()
        assert talk.hear()["code"] == "draining"
        assert talk.close_code() == 1012
        assert service.popen.wait(120) == 0
    with live.running(**settings) as url:
        seen = httpx.get(f"{url}/streams/{stream}", timeout=60).json()
        assert (seen["position"], seen["durable"]) == (3, 3)


def test_an_address_of_no_store_is_refused_without_repeating_it() -> None:
    with pytest.raises(ValidationError, match="sqlite:////absolute/path") as refusal:
        Settings(store="http://:password@host")
    assert "password" not in str(refusal.value)
    assert "password" not in repr(Settings(store="redis://:password@host"))
