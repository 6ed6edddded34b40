"""The page's modules by themselves, in the browser: against scipy, the data set, the client."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page

from larnn_client.errors import LarnnError
from larnn_client.journal import Journal
from larnn_export.data.uci_har import data_root
from tests.browser.conftest import OpenPage
from tests.browser.reference import FILTERED, SIGNAL

GRAVITY = 9.80665
MOTION = "client/sources/motion.js"


@pytest.fixture
def page(har_url: str, open_page: OpenPage) -> Page:
    return open_page(har_url)


def call(page: Page, module: str, body: str, argument: Any = None) -> Any:
    """What the body of a function of (module, argument) gives."""
    return page.evaluate(
        f"async (argument) => {{ const module = await import('/web/{module}'); {body} }}", argument
    )


@pytest.mark.parametrize(("order", "cutoff"), FILTERED)
def test_the_filters_are_scipys(page: Page, order: int, cutoff: float) -> None:
    filtered = call(
        page,
        "signal.js",
        """const filter = new module.LowPass(argument.order, argument.cutoff);
        return argument.signal.map((value) => filter.push(value));""",
        {"order": order, "cutoff": cutoff, "signal": SIGNAL},
    )
    np.testing.assert_allclose(filtered, FILTERED[order, cutoff], atol=1e-10)


def test_raw_readings_become_the_channels_of_the_data_set(page: Page) -> None:
    """UCI HAR's windows from HAPT's raw readings, but for how the filters start: at rest there, as
    if the first reading had always been here. After a minute that is forgotten."""
    try:
        with np.load(data_root() / "uci-har" / "uci_har_test.npz") as test:
            windows, recording, first = test["signals"], test["recording"], test["start"]
        with np.load(data_root() / "hapt" / "hapt_raw.npz") as archive:
            raw = archive["exp04_user02"][:5_000]
    except OSError as error:
        pytest.skip(f"UCI HAR and HAPT are needed: {error}")
    steps = call(
        page,
        "signal.js",
        """const preparation = new module.Preparation();
        return argument.map((reading) => preparation.push(reading));""",
        raw.tolist(),
    )
    np.testing.assert_allclose(np.array(steps)[:, 9:], raw)
    prepared = np.array(steps)[1:, :9]  # what is filtered is of the reading before
    [rows] = np.nonzero((recording == 4) & (first > 3_500) & (first < 4_800))
    assert len(rows) > 5
    for row, start in zip(rows, first[rows], strict=True):
        np.testing.assert_allclose(prepared[start : start + 128], windows[row], atol=5e-5, rtol=0)


def test_readings_are_resampled_to_50_hz_by_linear_interpolation(page: Page) -> None:
    times = np.cumsum(np.random.default_rng(1).uniform(5, 30, 200))
    values = np.sin(times / 100)
    resampled = call(
        page,
        MOTION,
        """const resampler = new module.Resampler();
        return argument.flatMap(([time, value]) => resampler.push(time, [value]));""",
        np.column_stack([times, values]).tolist(),
    )
    grid = np.arange(times[0], times[-1], 20)
    np.testing.assert_allclose(np.ravel(resampled), np.interp(grid, times, values), atol=1e-9)


def test_after_a_pause_the_resampler_begins_anew(page: Page) -> None:
    resampled = call(
        page,
        MOTION,
        """const resampler = new module.Resampler();
        return [0, 20, 10_000, 10_020].flatMap((time) => resampler.push(time, [time]));""",
    )
    assert np.ravel(resampled).tolist() == [0, 20, 10_000, 10_020]


@pytest.mark.parametrize(
    ("upright", "sign", "expected"),
    [
        (False, 1, [0.1, 1.0, 0.2, 0.5, -0.25, 1.5]),
        (True, 1, [1.0, -0.1, 0.2, -0.25, -0.5, 1.5]),
        (True, -1, [-1.0, 0.1, -0.2, -0.25, -0.5, 1.5]),
    ],
)
def test_units_and_axes_of_a_phone(
    page: Page, upright: bool, sign: int, expected: list[float]
) -> None:
    event = {
        "accelerationIncludingGravity": dict(x=0.1 * GRAVITY, y=GRAVITY, z=0.2 * GRAVITY),
        "rotationRate": dict(
            zip(("alpha", "beta", "gamma"), np.rad2deg([0.5, -0.25, 1.5]), strict=True)
        ),
    }
    found = call(
        page,
        MOTION,
        "return module.readings(argument.event, argument);",
        {"event": event, "upright": upright, "sign": sign},
    )
    np.testing.assert_allclose(found, expected)
    assert call(page, MOTION, "return module.readings({}, {});") is None


moves = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 9)),
        st.tuples(st.just("next"), st.integers(1, 4)),
        st.tuples(st.just("settle"), st.integers(0, 40), st.integers(0, 40)),
        st.tuples(st.just("answer"), st.integers(0, 40)),
        st.tuples(st.just("resume"), st.integers(0, 60)),
    ),
    max_size=40,
)
IN_JAVASCRIPT = """
  const journal = new module.Journal(0, { maxSteps: 50 }), flight = [];
  return argument.map(([move, first, second]) => {
    let came = null;
    try {
      if (move === "append") journal.append(new Float32Array(first), 1);
      if (move === "next") {
        const chunk = journal.next(first);
        if (chunk) flight.push(came = chunk.end);
      }
      if (move === "settle") journal.settle(first, second);
      if (move === "answer" && flight.length) came = journal.settle(flight.shift(), first);
      if (move === "resume") { journal.resume(first); flight.length = 0; }
    } catch (error) {
      came = error.constructor.name;
    }
    journal.read = journal.answered; // the caller takes each answer as it comes
    return [came, journal.answered, journal.durable, journal.end, journal.settled];
  });
"""


def in_python(moves: list[Any]) -> list[Any]:
    """What the client library's journal does with the moves."""
    journal, flight, told = Journal(0, consumed=0, max_steps=50), list[int](), []
    for move, first, *rest in moves:
        came: Any = None
        try:
            if move == "append":
                journal.append(np.zeros((first, 1), dtype=np.float32))
            elif move == "next" and (chunk := journal.next(first)):
                came = chunk.end
                flight.append(came)
            elif move == "settle":
                journal.settle(first, rest[0])
            elif move == "answer" and flight:
                came = journal.settle(flight.pop(0), first)
            elif move == "resume":
                journal.resume(first)
                flight.clear()
        except LarnnError as error:
            came = type(error).__name__
        journal.read = journal.answered  # the caller takes each answer as it comes
        told.append([came, journal.answered, journal.durable, journal.end, journal.settled])
    return told


def test_the_journal_is_the_client_librarys(page: Page) -> None:
    @settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
    @given(moves)
    def same(moves: list[Any]) -> None:
        assert call(page, "client/journal.js", IN_JAVASCRIPT, moves) == in_python(moves)

    same()
