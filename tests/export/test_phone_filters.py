"""The phone's filters against scipy's own, and against the windows that UCI HAR's authors made."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from larnn_export.data import DataError
from larnn_export.data.hapt import Recording, load_places, load_recordings
from larnn_export.data.uci_har import STEPS, load_split
from larnn_export.families.parts import initial_tensors
from larnn_export.networks.phone_filters import PhoneFilters, filter_recording


@cache
def recordings() -> dict[int, Recording]:
    try:
        return {recording.experiment: recording for recording in load_recordings()}
    except DataError as error:
        pytest.skip(str(error))


def test_step_by_step_they_are_what_scipy_makes_of_the_whole() -> None:
    """One step late, and over many chunks that carry the state on."""
    signals = np.random.default_rng(0).normal(size=(600, 6)).astype(np.float32)
    filters = PhoneFilters()
    state = initial_tensors(filters.state_tensors(), 1, torch.device("cpu"))
    found = []
    for chunk in torch.from_numpy(signals)[None].split([1, 99, 500], dim=1):
        channels, state = filters(chunk, state, None)
        found.append(channels[0].numpy())
    expected = filter_recording(signals)[:-1]
    np.testing.assert_allclose(np.concatenate(found)[1:], expected, atol=1e-6)


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
