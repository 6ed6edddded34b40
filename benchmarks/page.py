"""python -m benchmarks page: the tables of the documents, from the committed results."""

from __future__ import annotations

import json
import re
from typing import Any

from benchmarks import pictures
from benchmarks.published import TABLES, goals, runs
from benchmarks.server import ROOT

DOCS = ROOT / "docs"
RESULTS = ROOT / "benchmarks" / "results"
OF_MODELS = {
    name: ROOT / "models" / "larnn-har-raw" / "2" / "checkpoint" / f"{file}.json"
    for name, file in {"choice": "novelty", "robustness": "robustness"}.items()
}
"""Results that stand beside the network that they are of."""
PAGES = tuple(
    DOCS / f"{name}.md"
    for name in (
        "attacks",
        "javascript",
        "bridge",
        "capture",
        "deployment",
        "house",
        "import",
        "performance",
        "reliability",
        "operations",
        "memories",
        "novelty",
        "score",
        "training",
        "where-it-wins",
    )
)
PLACE = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def page() -> None:
    """Write the results' figures into the pages, and draw what they show."""
    for each in PAGES:
        each.write_text(filled(each.read_text()))
    pictures.memories(result("memories"), DOCS / "pictures" / "memories.png")


def filled(text: str) -> str:
    """The page with the table of each place `<!-- NAME -->` made anew from its result."""
    return PLACE.sub(
        lambda place: f"{place[1]}\n{TABLES[place[2]](result(place[2]))}\n{place[3]}", text
    )


def result(name: str) -> Any:
    """What benchmarks/results/NAME.json holds; that of memories with each network's accuracies."""
    if name == "families":
        return None
    if name in OF_MODELS:
        return json.loads(OF_MODELS[name].read_text())
    if name in goals.TABLES:
        return {file: result(file) for file in goals.RESULTS}
    if name in runs.TABLES:
        return runs.trained()
    record = json.loads((RESULTS / f"{name}.json").read_text())
    if name == "memories":
        trained = json.loads((RESULTS / "memories_har.json").read_text())
        for row in record["rows"]:
            mine = [run["accuracy"] for run in trained if run["family"] == row["family"]]
            row["accuracies"] = mine
    return record
