"""What one key may have waiting: half of what all may, so that the others are answered."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from larnn_service.admission.keys import new_key
from tests import live
from tests.server.raw import held_runs
from tests.server.test_metrics import sample
from tests.until import until

KEPT = 400
"""Steps of a stream whose answers are kept; of 12 bytes each, and two streams' are half of all."""
STEPS = [[1.0, 2.0]] * 2 * KEPT
"""Half of what may wait."""
(ONE, FIRST), (TWO, SECOND) = new_key("one"), new_key("two")


def keyed(url: str, key: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=100, headers={"Authorization": f"Bearer {key}"})


@pytest.fixture
def clients(toy_models: Path) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """One of each key."""
    limits = {"max_waiting_steps": 4 * KEPT, "max_kept_bytes": 4 * 12 * KEPT}
    with (
        live.running(models=toy_models, model="toy", api_keys=f"{FIRST},{SECOND}", **limits) as url,
        keyed(url, ONE) as one,
        keyed(url, TWO) as two,
    ):
        yield one, two


def ask(client: httpx.Client, door: str) -> httpx.Response:
    if door == "classify":
        return client.post("/classify", json={"sequences": [STEPS]})
    if door == "infer":
        x = {"name": "x", "datatype": "FP32", "shape": [1, len(STEPS), 2], "data": STEPS}
        return client.post("/v2/models/toy/infer", json={"inputs": [x]})
    stream = client.post("/streams", json={}).json()["stream"]
    return client.post(f"/streams/{stream}/steps", json={"offset": 0, "steps": STEPS})


@pytest.mark.parametrize("door", ["classify", "infer", "stream"])
def test_steps_that_wait_leave_room_for_another_s(
    clients: tuple[httpx.Client, httpx.Client], door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = clients
    with held_runs(monkeypatch) as (begun, go_on), ThreadPoolExecutor() as pool:
        flood = pool.submit(ask, one, door)
        assert begun.wait(100)
        refused = ask(one, door)
        assert (refused.status_code, refused.json()["code"]) == (503, "full")
        assert "of this key wait" in refused.text
        other = pool.submit(ask, two, door)
        until(
            lambda: sample(two, "larnn_waiting_steps", model="toy") == 2 * len(STEPS),
            "the other key's steps do not wait",
        )
        go_on.set()
        assert flood.result().is_success
        assert other.result().is_success


def test_answers_that_are_kept_leave_room_for_another_s(
    clients: tuple[httpx.Client, httpx.Client],
) -> None:
    """Those of four streams, which acknowledge nothing."""

    def told(client: httpx.Client) -> httpx.Response:
        stream = client.post("/streams", json={}).json()["stream"]
        body = {"offset": 0, "steps": [[1.0, 2.0]] * KEPT}
        return client.post(f"/streams/{stream}/steps", json=body)

    one, two = clients
    statuses = [told(one).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert "this key's streams" in told(one).text
    assert told(two).is_success
