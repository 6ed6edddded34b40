"""The network at the edge in Chromium while its connection is cut: python -m tests.browser.cuts

A HAPT recording goes through an `EdgeStream`. A cut of a second is one of as many steps as a second
of the recording has, so that no cut is waited for. Every answer is compared with an uninterrupted
stream of the service.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from playwright.sync_api import Page, Route, sync_playwright

from benchmarks.measure import Output, machine, report
from larnn_service.endpoints.live_page import FILES
from tests import live
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.clients.node import FOLDER, packages
from tests.clients.test_edge import at_service, worst

MODEL = "larnn-har"
RATE = 50
CHUNK = 25
BETWEEN = 75
"""Steps at the service between two cuts."""
SIDES = {"at the service": False, "in the page": True}
TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm"}
PLACES = {
    "ort": FOLDER / "node_modules" / "onnxruntime-web" / "dist",
    "client": FOLDER / "client" / "src",
    "edge": FOLDER / "edge" / "src",
    "tests": FOLDER / "tests",
    "model": live.ROOT / "models" / MODEL / "1",
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


def measure(page: Page, url: str, *, cuts: int, longest: int) -> dict[str, Any]:
    """What became of the steps, how far answers are from the service's, and after how long they
    came on either side.

    Args:
        page: at `url` + "/healthz", which has the service's origin and no policy.
        url: of the service.
        cuts: how often the connection is cut.
        longest: seconds of the longest cut; the shortest has one.
    """
    seconds = np.random.default_rng(0).permutation(np.geomspace(1, longest, cuts).round())
    places, at = [], BETWEEN
    for each in seconds.astype(int).tolist():
        places.append([at, at + each * RATE])
        at = places[-1][1] + BETWEEN
    edges = list(range(0, at + 1, CHUNK))
    _serve(page)
    steps = _recording(page, edges[-1])
    told = page.evaluate(RUN, [steps.tolist(), edges, places])
    return {
        "cuts": cuts,
        "shortest": int(seconds.min()),
        "longest": int(seconds.max()),
        **_compared(told, edges, at_service(url, MODEL, steps)),
        "sides": {where: _latency(told, edge) for where, edge in SIDES.items()},
    }


def _compared(told: dict[str, Any], edges: list[int], right: NDArray[np.float64]) -> dict[str, Any]:
    """Every chunk once and in order, and each of its steps."""
    positions = [each["position"] for each in told["predictions"]]
    steps = [step for each in told["predictions"] for step in each["steps"]]
    figures = {
        "steps": len(right),
        "lost": len(set(edges[1:]) - set(positions)) + max(len(right) - len(steps), 0),
        "twice": len(positions) - len(set(positions)) + max(len(steps) - len(right), 0),
        "in_order": positions == edges[1:] and told["ended"] == len(right),
    }
    both = min(len(right), len(steps))
    logits = [step["logits"] for step in steps[:both]]
    probabilities = np.array([list(step["probabilities"].values()) for step in steps[:both]])
    apart = float(np.abs(probabilities - _softmax(right[:both])).max())
    return figures | {"logit": worst(logits, right[:both]), "probability": apart}


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    each = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(each / each.sum(axis=1, keepdims=True))


def _latency(told: dict[str, Any], edge: bool) -> dict[str, Any]:
    """Milliseconds from a chunk to its answer, of the chunks that were answered on this side."""
    times = [each["latency"] for each in told["predictions"] if each["edge"] is edge]
    p50, p99, most = map(float, np.percentile(times, (50, 99, 100)))
    return {"chunks": len(times), "p50_ms": p50, "p99_ms": p99, "most_ms": most}


def _recording(page: Page, steps: int) -> NDArray[np.float32]:
    """[steps, 9] of a person, over and over, prepared as the live page does it."""
    index = json.loads((FILES / "recordings" / "index.json").read_text())
    counts = np.fromfile(FILES / "recordings" / "stairs.bin", "<i2").reshape(-1, 6)
    readings = np.resize(counts * np.array(index["scales"]), (steps, 6))
    return np.array(page.evaluate(PREPARE, readings.tolist()), np.float32)


def _serve(page: Page) -> None:
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


def main(
    cuts: Annotated[int, typer.Option(help="how often the connection is cut")] = 20,
    longest: Annotated[int, typer.Option(help="seconds of the longest cut")] = 60,
    output: Output = None,
) -> None:
    """A recording through an EdgeStream whose connection is cut; every step counts once."""
    packages()
    with live.process(models=live.ROOT / "models") as service, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page()
        page.set_default_timeout(600_000)
        page.goto(f"{service.url}/healthz")
        figures = measure(page, service.url, cuts=cuts, longest=longest)
        asked = {"command": "cuts", "chromium": browser.version, "model": MODEL, "chunk": CHUNK}
        browser.close()
    report("edge", machine() | asked | figures, output)


if __name__ == "__main__":
    typer.run(main)
