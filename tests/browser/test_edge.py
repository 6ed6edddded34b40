"""The network at the edge in Chromium: a HAPT recording whose network is cut twenty times."""

from __future__ import annotations

import pytest

from tests.browser import cuts
from tests.browser.conftest import ICON, OpenPage
from tests.clients import test_edge
from tests.clients.node import packages

LONGEST = 8
"""Seconds of the longest cut; `python -m tests.browser.cuts` has those of 60."""
LOGITS_BOUND = 2e-5
"""Over minutes: wasm and the service add float32 numbers in another order."""


@pytest.mark.timeout(600)  # minutes of a recording, on a machine that may be busy
def test_every_step_of_a_recording_is_answered_once_through_twenty_cuts(
    har_url: str, open_page: OpenPage
) -> None:
    packages()
    page = open_page(f"{har_url}/healthz", expected=ICON)  # of its origin, without a policy
    figures = cuts.measure(page, har_url, cuts=20, longest=LONGEST)
    assert (figures["lost"], figures["twice"], figures["in_order"]) == (0, 0, True)
    assert figures["logit"] < LOGITS_BOUND
    assert figures["probability"] < test_edge.BOUND
    assert all(side["chunks"] > 0 for side in figures["sides"].values())
