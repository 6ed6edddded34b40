"""The page with a model that tells how unlike its training a step is."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from playwright.sync_api import Page, expect

from larnn_service.contract import METADATA_KEY
from tests import live
from tests.backend.test_model_repository import resign
from tests.browser.conftest import OpenPage
from tests.browser.person import start, wait_for_position

BUNDLED = live.ROOT / "models" / "larnn-har-raw" / "2"


def publish(root: Path, threshold: float) -> None:
    """Write root/larnn-har-raw/2/: the bundled version, unsure above this."""
    folder = root / "larnn-har-raw" / "2"
    shutil.copytree(BUNDLED, folder, ignore=shutil.ignore_patterns("checkpoint"))
    manifest = json.loads((folder / "model.json").read_text())
    manifest["contract"]["outputs"][1]["unsure_above"] = threshold
    (folder / "model.json").write_text(json.dumps(manifest))
    graph = onnx.load(folder / "model.onnx")
    metadata = {entry.key: entry.value for entry in graph.metadata_props}
    told = json.dumps(manifest["contract"])
    onnx.helper.set_model_props(graph, metadata | {METADATA_KEY: told})
    resign(folder, graph)


@pytest.mark.parametrize(
    ("threshold", "said"), [(-1.0, r"^Not like anything I know$"), (1e9, r"^(Stand|Sit|Lay|Walk)")]
)
def test_what_is_unlike_training_has_no_label(
    tmp_path: Path,
    open_page: OpenPage,
    picture: Callable[[Page], Path],
    threshold: float,
    said: str,
) -> None:
    publish(tmp_path, threshold)
    with live.running(models=tmp_path, model="larnn-har-raw") as url:
        page = open_page(url)
        start(page)
        wait_for_position(page, 200)
        expect(page.locator("#label")).to_have_text(re.compile(said))
        expect(page.locator("#bars .most")).to_have_count(0 if threshold < 0 else 1)
        picture(page)
