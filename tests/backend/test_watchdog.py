"""Runs that do not end by themselves are ended, and the next run is none the worse for it."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from larnn_service.backend.model_repository import load_model
from larnn_service.errors import StartupError
from larnn_service.interfaces import Model
from tests import endless

SOON = 0.1
"""Seconds."""


def run(model: Model, value: float) -> float:
    """The first logit of a step of that value."""
    state = {tensor.name: tensor.initial_array(1) for tensor in model.manifest.contract.state}
    x = np.full((1, 1, 2), value, np.float32)
    logits, _ = model.backend.run(x, np.ones(1, np.int64), state)
    return float(logits[0, 0, 0])


def test_an_endless_run_is_ended_and_others_go_on(tmp_path: Path) -> None:
    model = load_model(endless.publish(tmp_path, always=False), "cpu", run_within=SOON)
    for _ in range(2):
        assert run(model, 1) == 1
        with pytest.raises(Exception, match="terminate flag"):
            run(model, 2 * endless.LARGE)
    assert run(model, 1) == 1


def test_runs_beside_it_are_not_ended(tmp_path: Path) -> None:
    model = load_model(endless.publish(tmp_path, always=False), "cpu", run_within=SOON)
    ended = threading.Event()

    def never_ends() -> None:
        with pytest.raises(Exception, match="terminate flag"):
            run(model, 2 * endless.LARGE)
        ended.set()

    threading.Thread(target=never_ends).start()
    runs = 0
    while not ended.is_set():
        assert run(model, 1) == 1
        runs += 1
    assert runs > 1


def test_a_version_whose_first_run_never_ends_is_refused(tmp_path: Path) -> None:
    folder = endless.publish(tmp_path)
    with pytest.raises(StartupError, match=r"model.onnx: graph: its first run failed: .*terminate"):
        load_model(folder, "cpu", run_within=SOON)
