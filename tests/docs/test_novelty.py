"""docs/novelty.md: its requests are answered as it says, and its tables are the committed ones."""

from __future__ import annotations

import json
import re

import httpx

from benchmarks import page as results
from tests.docs import page

TEXT = page.read("novelty.md")


def test_its_tables_are_the_committed_ones() -> None:
    assert results.filled(TEXT) == TEXT


def test_its_requests_are_answered_as_it_says(har_url: str) -> None:
    bodies = [json.loads(body) for body in re.findall(r"--json '(.*)'", TEXT)]
    with httpx.Client(base_url=har_url, timeout=120) as client:
        stream = client.post("/streams", json=bodies[0]).json()["stream"]
        told = client.post(f"/streams/{stream}/steps", json=bodies[1]).json()
    assert told["label"] == "unsure"
    assert max(told["probabilities"].values()) > 0.2
