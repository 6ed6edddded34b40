"""The network at the edge in Chromium: a HAPT recording whose network is cut twenty times."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page, Route

from larnn_service.endpoints.live_page import FILES
from tests import live
from tests.browser.conftest import ICON, OpenPage
from tests.clients import test_edge
from tests.clients.node import FOLDER, packages

RATE = 50
CUTS = 20
LONGEST = int(os.environ.get("LARNN_LONGEST_CUT", "8"))
"""Seconds of the longest cut. With 60 it is the whole proof, of six minutes of a recording."""
LOGITS_BOUND = 2e-5
"""Over minutes: wasm and the service add float32 numbers in another order."""
CHUNK = 25
BETWEEN = 75
"""Steps at the service between two cuts."""
TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm"}
PLACES = {
    "ort": FOLDER / "node_modules" / "onnxruntime-web" / "dist",
    "client": FOLDER / "client" / "src",
    "edge": FOLDER / "edge" / "src",
    "tests": FOLDER / "tests",
    "model": live.ROOT / "models" / "larnn-har" / "1",
}
MODULES = {
    "imports": {
        "@larnn/client": "/edge/client/index.js",
        "@larnn/edge": "/edge/edge/index.js",
        "onnxruntime-web": "/edge/ort/ort.wasm.min.mjs",
    }
}
RUN = """async ([signal, edges, cuts]) => {
  const ort = await import("onnxruntime-web");
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const { Client } = await import("@larnn/client");
  const { EdgeModel } = await import("@larnn/edge");
  const { run } = await import("/edge/tests/edge_run.js");
  const file = async (name) => (await fetch(`/edge/model/${name}`)).bytes();
  const model = await EdgeModel.load(ort, file);
  const client = new Client(location.origin);
  return run({ client, model, signal, edges, cuts, options: { snapshotSteps: 50 } });
}"""


PREPARE = """async (readings) => {
  const { Preparation } = await import("/web/signal.js");
  const preparation = new Preparation();
  return readings.map((reading) => preparation.push(reading).slice(0, 9).map(Math.fround));
}"""


def recording(page: Page, steps: int) -> NDArray[np.float32]:
    """[steps, 9] of a person, over and over, prepared as the live page does it."""
    index = json.loads((FILES / "recordings" / "index.json").read_text())
    counts = np.fromfile(FILES / "recordings" / "stairs.bin", "<i2").reshape(-1, 6)
    readings = np.resize(counts * np.array(index["scales"]), (steps, 6))
    return np.array(page.evaluate(PREPARE, readings.tolist()), np.float32)


def serve(page: Page) -> None:
    """The modules, the runtime and the model's files, beside the service's own paths."""

    def give(route: Route) -> None:
        _, _, place, name = Path(route.request.url.split("//", 1)[1]).parts[-4:]
        path = PLACES[place] / name
        route.fulfill(body=path.read_bytes(), content_type=TYPES.get(path.suffix, "text/plain"))

    page.route("**/edge/*/*", give)
    page.evaluate(
        """(modules) => {
          const map = document.createElement("script");
          map.type = "importmap";
          map.textContent = JSON.stringify(modules);
          document.head.append(map);
        }""",
        MODULES,
    )


@pytest.mark.timeout(600)  # minutes of a recording, on a machine that may be busy
def test_every_step_of_a_recording_is_answered_once_through_twenty_cuts(
    har_url: str, open_page: OpenPage
) -> None:
    packages()
    seconds = np.random.default_rng(0).permutation(
        np.geomspace(1, LONGEST, CUTS).round().astype(int)
    )
    cuts, at = [], BETWEEN
    for each in seconds:
        cuts.append([at, at + int(each) * RATE])
        at = cuts[-1][1] + BETWEEN
    edges = list(range(0, at + 1, CHUNK))
    page = open_page(f"{har_url}/healthz", expected=ICON)  # of its origin, without a policy
    serve(page)
    steps = recording(page, edges[-1])
    told = page.evaluate(RUN, [steps.tolist(), edges, cuts])
    right = test_edge.at_service(har_url, "larnn-har", steps)
    test_edge.check(told, edges, right, LOGITS_BOUND)
    steps_told = [step for each in told["predictions"] for step in each["steps"]]
    probabilities = np.array([list(step["probabilities"].values()) for step in steps_told])
    assert np.abs(probabilities - softmax(right)).max() < test_edge.BOUND
    sys.stdout.write(figures(told, right))


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    each = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(each / each.sum(axis=1, keepdims=True))


def figures(told: dict[str, Any], right: NDArray[np.float64]) -> str:
    """For people: how far apart, and how fast on either side."""
    predictions = told["predictions"]
    logits = [step["logits"] for each in predictions for step in each["steps"]]
    text = f"{len(right)} steps, worst difference {test_edge.worst(logits, right):.2g}\n"
    for edge, where in ((True, "here"), (False, "at the service")):
        times = [each["latency"] for each in predictions if each["edge"] is edge]
        text += f"{where}: {len(times)} chunks, median {np.median(times):.1f} ms\n"
    return text
