"""The examples work against the bundled model."""

from __future__ import annotations

import json
import subprocess
import sys

import httpx
import numpy as np

from tests import live

EXAMPLES = live.ROOT / "examples"


def test_the_recording_streams_to_its_end(har_url: str) -> None:
    command = [sys.executable, "examples/stream.py", "--url", live.websocket_url(har_url)]
    done = subprocess.run(command, cwd=live.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "1088 steps of WALKING"
    assert lines[2].startswith("position 10: ")
    assert lines[-1] == "ended at position 1088"


def test_the_window_is_the_first_of_the_recording_file(har_url: str) -> None:
    body = (EXAMPLES / "window.json").read_text()
    [window] = json.loads(body)["sequences"]
    with np.load(EXAMPLES / "recording.npz") as recording:
        np.testing.assert_allclose(window, recording["windows"][0], rtol=0, atol=5e-7)
        assert recording["windows"].shape == (6, 128, 9)
    answer = httpx.post(f"{har_url}/classify", content=body, timeout=120).json()
    assert len(answer["predictions"]) == 1
