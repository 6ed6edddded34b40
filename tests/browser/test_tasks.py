"""The page with networks whose answers are no classes: the bundled one, read in other ways."""

from __future__ import annotations

import json
import re
from pathlib import Path

import onnx
import pytest
from playwright.sync_api import expect

from larnn_service.contract import METADATA_KEY, Channel, Contract
from larnn_service.outputs import LOGITS, Output
from tests import live
from tests.backend.test_model_repository import resign
from tests.browser.conftest import OpenPage
from tests.browser.person import start, wait_for_position

BUNDLED = live.ROOT / "models" / "larnn-har" / "1"


def publish(root: Path, task: str) -> None:
    """Write root/TASK/1/: the bundled network, whose numbers are of this task."""
    manifest = json.loads((BUNDLED / "model.json").read_text())
    contract = Contract.model_validate(manifest["contract"])
    fields = (
        {"values": tuple(Channel(name=label, unit="m") for label in contract.labels)}
        if task == "values"
        else {"labels": contract.labels}
    )
    output = Output.model_validate({"name": LOGITS, "task": task, **fields})
    contract = contract.model_copy(update={"outputs": (output,)})
    manifest |= {"name": task, "contract": contract.model_dump(mode="json"), "attention": None}
    folder = root / task / "1"
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(json.dumps(manifest))
    graph = onnx.load(BUNDLED / "model.onnx")
    metadata = {entry.key: entry.value for entry in graph.metadata_props}
    onnx.helper.set_model_props(graph, metadata | {METADATA_KEY: contract.model_dump_json()})
    resign(folder, graph)


@pytest.mark.parametrize(
    ("task", "said", "number"),
    [
        ("tags", r"^(\w[\w ,]*)$", r"%$"),
        ("values", r"^-?[\d.]+(e[-+]?\d+)?$", r"^-?[\d.]+(e[-+]?\d+)?$"),
    ],
)
def test_numbers_are_shown_as_their_task_says(
    tmp_path: Path, open_page: OpenPage, task: str, said: str, number: str
) -> None:
    publish(tmp_path, task)
    with live.running(models=tmp_path, model=task) as url:
        page = open_page(url)
        start(page)
        wait_for_position(page, 200)
        expect(page.locator("#label")).to_have_text(re.compile(said))
        rows = page.locator("#bars .value")
        expect(rows).to_have_count(6)
        for text in rows.all_text_contents():
            assert re.search(number, text), text
