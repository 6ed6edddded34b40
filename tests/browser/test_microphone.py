"""The page with a network of sound: what the browser's microphone hears, each frame once."""

from __future__ import annotations

import json
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, WebSocket, expect
from safetensors.numpy import load

from benchmarks.imported import NAME, SAID
from larnn_export.importing import Options, import_graph
from tests import live, wide
from tests.browser.conftest import ARGUMENTS, CHROMIUM, OpenPage
from tests.browser.person import fact, wait_for_position
from tests.importing.released import RATE, package, sound

WIDTH = wide.FRAME.width
HEAD = 16
"""Bytes before the steps of a chunk in `larnn.f32.v2`."""
NO = "() => navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('it is kept'))"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("models")
    wide.publish(root, "frame", wide.FRAME)
    with live.running(models=root, model="frame") as url:
        yield url


def begin(page: Page) -> None:
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("status")).to_have_text("Connected")


class Heard:
    """What the page sends to its stream, over all connections."""

    def __init__(self, page: Page) -> None:
        self._chunks: list[bytes] = []
        self._told: list[str] = []
        page.on("websocket", self._watch)

    def _watch(self, socket: WebSocket) -> None:
        socket.on("framesent", self._sent)
        socket.on("framereceived", self._received)

    def _sent(self, data: str | bytes) -> None:
        if isinstance(data, bytes):
            self._chunks.append(data)

    def _received(self, data: str | bytes) -> None:
        if isinstance(data, str):
            self._told.append(data)

    @property
    def stream(self) -> str:
        opened = next(text for text in map(json.loads, self._told) if text["type"] == "opened")
        return str(opened["stream"])

    def frames(self) -> NDArray[np.float32]:
        """[steps, samples] that went; what went again is the same, and nothing is left out."""
        all_of_them = np.zeros((0, WIDTH), np.float32)
        for chunk in self._chunks:
            offset = int.from_bytes(chunk[:8], "little")
            frames = np.frombuffer(chunk[HEAD:], np.float32).reshape(-1, WIDTH)
            again = all_of_them[offset:]
            assert offset <= len(all_of_them)
            np.testing.assert_array_equal(frames[: len(again)], again[: len(frames)])
            all_of_them = np.concatenate([all_of_them, frames[len(again) :]])
        return all_of_them


def test_each_frame_counts_once_over_a_cut(url: str, open_page: OpenPage) -> None:
    page = open_page(url)
    heard = Heard(page)
    begin(page)
    wait_for_position(page, 30)
    page.get_by_role("button", name="Cut the connection").click()
    cut = fact(page, "position")
    page.wait_for_function(
        "least => document.querySelector('#held').textContent.replaceAll(',', '') >= least", arg=10
    )
    page.get_by_role("button", name="Connect again").click()
    wait_for_position(page, cut + 50)
    expect(page.locator("#log")).to_contain_text("None counts twice.")
    page.get_by_role("button", name="Stop").click()
    state = httpx.get(f"{url}/streams/{heard.stream}/state")
    assert state.status_code == 200, state.text
    position = json.loads(httpx.get(f"{url}/streams/{heard.stream}").text)["position"]
    frames = heard.frames()
    total = frames[:position].sum(axis=0, dtype=np.float64)
    assert position >= cut + 50 and 0.01 < np.abs(frames).max() < 1.5
    np.testing.assert_allclose(load(state.content)["total"][0], total, atol=1e-3)


def test_a_person_may_keep_the_microphone(url: str, open_page: OpenPage) -> None:
    page = open_page(url)
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    page.evaluate(NO)
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("status")).to_have_text("Stopped")
    expect(page.get_by_role("log")).to_contain_text("Stopped: it is kept.")
    expect(page.get_by_role("button", name="Start")).to_be_enabled()


@pytest.mark.deploy
def test_a_voice_detector_hears_speech(
    browser: Browser, tmp_path: Path, picture: Callable[[Page], Path]
) -> None:
    silero = package("silero-vad", "6.2.3", tmp_path) / "silero_vad/data/silero_vad.onnx"
    import_graph(silero, Options.model_validate(SAID), tmp_path / "models")
    with wave.open(str(tmp_path / "speech.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        silence = np.zeros(3 * RATE, np.float32)
        heard = np.concatenate([silence, sound(5), silence])
        file.writeframes((heard * 2**15).clip(-(2**15), 2**15 - 1).astype("<i2").tobytes())
    spoken = f"--use-file-for-fake-audio-capture={tmp_path / 'speech.wav'}"
    with (
        live.running(models=tmp_path / "models", model=NAME) as url,
        browser.browser_type.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, spoken]) as other,
    ):
        page = other.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url)
        begin(page)
        for said in ("None", "Speech", "None"):
            expect(page.locator("#label")).to_have_text(said)
        picture(page)
