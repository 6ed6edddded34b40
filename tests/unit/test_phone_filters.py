"""The phone's filters against scipy's own, and against the windows that UCI HAR's authors made."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.signal import butter, medfilt, sosfilt

from export.data.hapt import Recording, load_places, load_recordings
from export.data.uci_har import STEPS, DataError, load_split
from export.networks.parts import initial_tensors
from export.networks.phone_filters import PhoneFilters, filter_recording


def by_scipy(signals: NDArray[np.float32]) -> NDArray[np.float64]:
    def low_pass(x: NDArray[np.float64], order: int, cut_off: float) -> NDArray[np.float64]:
        sections = butter(order, cut_off, fs=50, output="sos")
        return np.asarray(sosfilt(sections, x, axis=0))

    medians = medfilt(signals.astype(np.float64), (3, 1))
    total_acc, gyro = np.split(low_pass(medians, 10, 20), 2, axis=1)
    body_acc, body_gyro = total_acc - low_pass(total_acc, 3, 0.3), gyro - low_pass(gyro, 2, 0.1)
    return np.concatenate([body_acc, body_gyro, total_acc], axis=1)


@cache
def recordings() -> dict[int, Recording]:
    try:
        return {recording.experiment: recording for recording in load_recordings()}
    except DataError as error:
        pytest.skip(str(error))


def test_they_are_what_scipy_computes() -> None:
    signals = np.random.default_rng(0).normal(size=(600, 6)).astype(np.float32)
    np.testing.assert_allclose(filter_recording(signals), by_scipy(signals), atol=1e-6)


def test_nothing_comes_out_before_something_came_in() -> None:
    """At the first step the output describes the step before the stream began."""
    filters = PhoneFilters()
    state = initial_tensors(filters.state_tensors(), 1, torch.device("cpu"))
    first = torch.ones(1, 1, 6)
    channels, (recent, acc, gyro) = filters(first, state, None)
    assert not channels.any() and not acc.any() and not gyro.any()
    torch.testing.assert_close(recent[0, 1], first[0, 0])


@pytest.mark.parametrize("experiment", [3, 21, 54])
def test_a_recording_gives_the_windows_of_uci_har(experiment: int) -> None:
    """From beginning to end: the last windows have all drift behind them."""
    channels, compared = filter_recording(recordings()[experiment].signals), 0
    for name in ("train", "test"):
        split, places = load_split(name), load_places(name)
        for index in np.flatnonzero(places.experiments == experiment):
            start = places.starts[index]
            window = channels[start : start + STEPS]
            np.testing.assert_allclose(window, split.signals[index], atol=1e-5)
            compared += 1
    assert compared > 50
