"""What the running service captures: each step once, of whom it may, as long as it may."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save
from websockets.sync.client import connect

from larnn_service.telemetry.tags import tag
from tests import captured, live, small_disk
from tests.cli.command import Larnn
from tests.faults.everyone import signals
from tests.server.test_access import KEYS, PHONE, TABLET, bearer
from tests.server.test_state import tensors
from tests.server.test_stream import Talk
from tests.server.test_streams import steps
from tests.until import until


@contextmanager
def capturing(models: Path, folder: Path, **more: Any) -> Iterator[httpx.Client]:
    """A service that captures into the folder, and has written all at the end."""
    settings = {"models": models, "model": "toy", "capture": folder}
    with (
        live.running(**settings | more) as url,
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        yield client


def opened(client: httpx.Client, **headers: str) -> str:
    return str(client.post("/streams", headers=headers).json()["stream"])


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_each_step_is_captured_once_over_connections(
    toy_models: Path, tmp_path: Path, store: str
) -> None:
    [signal] = signals(1)
    durable = {"store": f"sqlite:///{tmp_path}/streams.db", "checkpoint_steps": 30}
    folder = tmp_path / "captured"
    with capturing(toy_models, folder, **durable if store == "sqlite" else {}) as client:
        address = live.websocket_url(str(client.base_url).rstrip("/"))
        with connect(address) as socket:
            talk = Talk(socket)
            stream = talk.hear()["stream"]
            talk.chunk(0, signal[:70].tolist())
            assert talk.chunk(90, signal[90:].tolist())["code"] == "gap"
        with connect(f"{address}?stream={stream}") as socket:
            talk = Talk(socket)
            talk.hear()
            talk.chunk(0, signal[:100].tolist())  # of which 70 were consumed
            for offset in range(100, 300, 10):
                talk.chunk(offset, signal[offset : offset + 10].tolist())
        body = {"offset": 290, "steps": signal[290:].tolist()}
        assert client.post(f"/streams/{stream}/steps", json=body).status_code == 200
        client.post("/classify", json={"sequences": [[[1, 2]]]})  # is no stream
    rows = captured.table(folder)
    assert rows["stream"].unique().to_list() == [tag(stream)]
    assert rows["position"].to_list() == list(range(400)), "in one file, in order"
    assert (captured.channels(rows) == signal).all()
    logits = np.concatenate([signal.cumsum(0), np.arange(1, 401)[:, None]], axis=1)
    labels = np.array(["LEFT", "RIGHT", "LONG"])[logits.argmax(1)]
    assert rows["label"].cast(pl.String).to_list() == labels.tolist()
    shares = rows.select("p_LEFT", "p_RIGHT", "p_LONG").to_numpy()
    assert np.allclose(shares.sum(axis=1), 1) and (shares.argmax(1) == logits.argmax(1)).all()
    assert stream not in "".join(str(path) for path in folder.rglob("*"))


def test_a_state_that_is_put_in_begins_another_recording(toy_models: Path, tmp_path: Path) -> None:
    with capturing(toy_models, tmp_path) as client:
        stream = opened(client)
        steps(client, stream, 0, 5)
        state = save(tensors(), {"model": "toy", "version": "1", "position": "3"})
        assert client.put(f"/streams/{stream}/state", content=state).is_success
        steps(client, stream, 3, 2)
    rows = captured.table(tmp_path)
    recordings = rows.group_by("recording", maintain_order=True).agg("position")["position"]
    assert sorted(recordings.to_list()) == [[0, 1, 2, 3, 4], [3, 4]], (
        "either may be in the first file"
    )


def test_owners_are_captured_who_are_named(toy_models: Path, tmp_path: Path) -> None:
    with capturing(toy_models, tmp_path, api_keys=KEYS, capture_owners="phone") as client:
        for key in (PHONE, TABLET):
            stream = opened(client, **bearer(key))
            body = {"offset": 0, "steps": [[1, 2]]}
            client.post(f"/streams/{stream}/steps", json=body, headers=bearer(key))
    assert captured.table(tmp_path)["owner"].cast(pl.String).to_list() == ["phone"]


def test_a_share_of_the_streams_is_drawn_by_their_ids(toy_models: Path, tmp_path: Path) -> None:
    streams: dict[bool, str] = {}
    with capturing(toy_models, tmp_path, capture_share=0.5) as client:
        while len(streams) < 2:
            stream = opened(client)
            streams[int(tag(stream), 16) < 0.5 * 16**12] = stream
        for stream in streams.values():
            for offset in (0, 3):
                steps(client, stream, offset, 3)
    found = captured.table(tmp_path)
    assert found["stream"].cast(pl.String).to_list() == [tag(streams[True])] * 6


def test_a_deleted_stream_leaves_nothing(toy_models: Path, tmp_path: Path, larnn: Larnn) -> None:
    folder = tmp_path / "captured"
    with capturing(toy_models, folder, capture_interval=0.01) as client:
        streams = [opened(client) for _ in range(4)]
        for stream in streams:
            steps(client, stream, 0, 3)
        until(lambda: len(captured.files(folder)) == 4, "they are not written")
        assert client.delete(f"/streams/{streams[0]}").status_code == 204
        assert len(captured.files(folder)) == 3
        steps(client, streams[1], 3, 3)  # waits, or is written
        assert client.delete(f"/streams/{streams[1]}").status_code == 204
        assert client.delete(f"/streams/{streams[1]}").status_code == 410
        assert larnn("capture", "forget", folder, streams[2], tag(streams[2])).out == (
            "1 file deleted\n"
        )
        steps(client, streams[2], 3, 3)  # lives on, and is captured no more
        assert larnn("capture", "forget", folder, "anybody").code == 2
    assert [file.parent.name for file in captured.files(folder)] == [tag(streams[3])]


def test_a_full_disk_costs_no_client_anything(
    toy_models: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        small_disk.mounted(tmp_path / "disk", "1m") as disk,
        capturing(toy_models, disk / "captured", capture_interval=0.01) as client,
    ):
        stream = opened(client)
        theirs = small_disk.fill(disk)
        for offset, failed in ((0, 5), (5, 10)):
            assert steps(client, stream, offset, 5).json()["position"] == offset + 5
            until(partial(_tells, client, "failed", failed), "it does not fail")
        theirs.unlink()
        steps(client, stream, 10, 5)
        until(partial(_tells, client, "written", 5), "it is not written")
        assert captured.of_stream(disk / "captured", stream)["position"].to_list() == [
            *range(10, 15)
        ]
        assert not list((disk / "captured" / ".drafts").iterdir())
    told = [record.getMessage() for record in caplog.records if "captured" in record.getMessage()]
    assert [line.split(":")[0] for line in told] == [
        "captured steps cannot be written, and are lost",
        "captured steps are written again",
    ]


def _tells(client: httpx.Client, outcome: str, steps: int) -> bool:
    return bool(captured.outcomes(client.get("/metrics").text)[outcome] == steps)


def test_the_folder_is_its_owners_alone(toy_models: Path, tmp_path: Path) -> None:
    with capturing(toy_models, tmp_path / "new" / "captured"):
        assert os.stat(tmp_path / "new" / "captured").st_mode & 0o077 == 0
