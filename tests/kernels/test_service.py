"""The service with the operators and without: the same model, and a state that changes hands."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from larnn_service import native as native_library
from tests import live
from tests.kernels import native

SIGNALS = np.load(live.ROOT / "examples" / "recording.npz")["signals"][:256]


@pytest.fixture(scope="module")
def native_url() -> Iterator[str]:
    native.need_kernels()
    with live.running(models=live.ROOT / "models") as url:
        yield url


@pytest.fixture(scope="module")
def plain_url() -> Iterator[str]:
    with contextlib.ExitStack() as running:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(native_library.LEVEL, "none")
            url = running.enter_context(live.running(models=live.ROOT / "models"))
        yield url


def logits_of(answer: httpx.Response) -> list[float]:
    assert answer.status_code == 200, answer.text
    logits: list[float] = answer.json()["logits"]
    return logits


def send(url: str, stream: str, start: int, end: int) -> list[float]:
    body = {"offset": start, "steps": SIGNALS[start:end].tolist(), "logits": True}
    return logits_of(httpx.post(f"{url}/streams/{stream}/steps", json=body, timeout=60))


def opened(url: str) -> str:
    stream: str = httpx.post(f"{url}/streams", json={}, timeout=60).json()["stream"]
    return stream


def test_models_and_log_say_what_runs(
    native_url: str, plain_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    for url, operator in ((native_url, "native"), (plain_url, "graph")):
        models = httpx.get(f"{url}/models", timeout=60).json()["models"]
        taken_over = [m for m in models if m["name"].startswith(("larnn", "lstm"))]
        assert {m["operator"] for m in taken_over} == {operator}
    with caplog.at_level(logging.INFO), live.running(models=live.ROOT / "models"):
        assert "on CPUExecutionProvider, operator: native" in caplog.text


def test_both_classify_alike(native_url: str, plain_url: str) -> None:
    windows = {"sequences": [SIGNALS[:128].tolist(), SIGNALS[100:150].tolist()], "logits": True}
    mine, other = (
        [p["logits"] for p in httpx.post(f"{url}/classify", json=windows).json()["predictions"]]
        for url in (native_url, plain_url)
    )
    np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-5)


def test_a_stream_has_the_same_bits_however_it_is_cut(native_url: str) -> None:
    answers = []
    for cuts in ([0, 256], [0, 1, 2, 40, 41, 130, 256], [0, 16, 32, 255, 256]):
        stream = opened(native_url)
        for start, end in zip(cuts[:-1], cuts[1:], strict=True):
            answers.append((end, send(native_url, stream, start, end)))
    assert len({str(logits) for end, logits in answers if end == 256}) == 1


def test_a_state_saved_with_the_operator_goes_on_without_it_and_back(
    native_url: str, plain_url: str
) -> None:
    there, here, whole = opened(native_url), opened(plain_url), opened(plain_url)
    expected = send(plain_url, whole, 0, 256)
    send(native_url, there, 0, 100)
    for source, target, start, end in (
        ((native_url, there), (plain_url, here), 100, 180),
        ((plain_url, here), (native_url, there), 180, 256),
    ):
        state = httpx.get(f"{source[0]}/streams/{source[1]}/state", timeout=60)
        kind = {"content-type": state.headers["content-type"]}
        url = f"{target[0]}/streams/{target[1]}/state"
        assert httpx.put(url, content=state.content, headers=kind, timeout=60).is_success
        logits = send(*target, start, end)
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-5)


def test_an_older_library_has_the_operators_that_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    native.need_kernels()
    assert native_library.takes_over("larnn") and native_library.takes_over("larnn,larnn.lstm")
    assert not native_library.takes_over("") and not native_library.takes_over("larnn,another")
    monkeypatch.setattr(native_library, "door", lambda *asked: None)
    assert native_library.takes_over("larnn") and not native_library.takes_over("larnn.lstm")
