"""`make fuzz`, bounded: what must hold of generated inputs, but for times and memory."""

from __future__ import annotations

import pytest

from tests.faults.fuzz.run import fuzz

INPUTS = 1500


@pytest.mark.parametrize(("kernels", "sqlite"), [(True, False), (False, True)])
def test_generated_inputs_are_refused_and_harm_nobody(kernels: bool, sqlite: bool) -> None:
    outcome = fuzz(INPUTS, 1, kernels, sqlite, suspects=0)
    assert not outcome.faults, outcome.tally.findings
    doors = {name.split()[0] for name in outcome.tally.sent}
    assert doors == {"HTTP", "websocket", "gRPC", "documented"}
    common = {
        "HTTP 200",
        "HTTP bad_message",
        "ws prediction",
        "ws frame",
        "ws bad_json",
        "gRPC bad_message",
    }
    assert common <= outcome.tally.answers.keys()
