"""A phone's own sensors, as Chromium's: it is told readings, and gives real devicemotion events."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import CDPSession, Page, Route, expect

from larnn_service.endpoints.live_page import FILES
from tests import live
from tests.browser.conftest import ICON, OTHER_NAME, OpenPage
from tests.browser.person import fact

GRAVITY = 9.80665
ACCELERATION = ("accelerometer", "linear-acceleration")
SENSORS = (*ACCELERATION, "gyroscope")


def readings(name: str, activity: str) -> NDArray[np.float64]:
    """[steps, 6] in m/s² and rad/s of what a person did in a recording."""
    index = json.loads((FILES / "recordings" / "index.json").read_text())
    [entry] = [entry for entry in index["recordings"] if entry["name"] == name]
    counts = np.fromfile(FILES / "recordings" / f"{name}.bin", "<i2").reshape(-1, 6)
    first, end = next((a, b) for label, a, b in entry["activities"] if label == activity)
    scaled: NDArray[np.float64] = counts[first:end] * np.array(index["scales"])
    scaled[:, :3] *= GRAVITY
    return scaled


@contextlib.contextmanager
def sensors(page: Page) -> Iterator[CDPSession]:
    session = page.context.new_cdp_session(page)
    metadata = {"available": True, "minimumFrequency": 1, "maximumFrequency": 100}
    told = [{"type": sensor, "metadata": metadata} for sensor in SENSORS]
    for sensor in told:
        session.send("Emulation.setSensorOverrideEnabled", {"enabled": True, **sensor})
    yield session
    for sensor in told:  # other pages of this browser would feel them too
        session.send("Emulation.setSensorOverrideEnabled", {"enabled": False, **sensor})


def feel(session: CDPSession, reading: NDArray[np.float64]) -> None:
    for sensor in SENSORS:
        x, y, z = reading[:3].tolist() if sensor in ACCELERATION else reading[3:].tolist()
        session.send(
            "Emulation.setSensorOverrideReadings",
            {"type": sensor, "reading": {"xyz": {"x": x, "y": y, "z": z}}},
        )


def start_phone(page: Page) -> None:
    page.get_by_text("This phone’s own sensors").click()
    page.get_by_label("Worn").select_option("side")
    page.get_by_role("button", name="Start").click()


def test_a_phone_that_lies_and_then_walks(har_url: str, open_page: OpenPage) -> None:
    page = open_page(har_url)
    with sensors(page) as session:
        feel(session, readings("postures", "LAYING")[100:300].mean(axis=0))
        start_phone(page)
        expect(page.locator("#label")).to_have_text("Laying", timeout=20_000)
        lying = fact(page, "position")
        for reading in readings("stairs", "WALKING")[:200]:
            feel(session, reading)
            page.wait_for_timeout(14)  # its pace
        assert page.locator("#label").inner_text().startswith("Walking")
        assert fact(page, "position") > lying + 100
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_role("status")).to_have_text("Not connected")


def test_without_sensors_it_says_so(har_url: str, open_page: OpenPage) -> None:
    page = open_page(har_url)
    start_phone(page)
    expect(page.get_by_role("log")).to_contain_text("This phone’s sensors say nothing")
    expect(page.get_by_role("status")).to_have_text("Stopped")


def test_sensors_that_fall_silent_are_told_of(har_url: str, open_page: OpenPage) -> None:
    page = open_page(har_url)
    with sensors(page) as session:
        feel(session, readings("postures", "LAYING")[100])
        start_phone(page)
        expect(page.locator("#label")).to_have_text("Laying", timeout=20_000)
    expect(page.get_by_role("log")).to_contain_text("This phone’s sensors say nothing")


AWAKE = """async () => {
  const { MotionSensor } = await import("/web/client/sources/motion.js");
  const locks = [];
  const request = navigator.wakeLock.request.bind(navigator.wakeLock);
  navigator.wakeLock.request = (kind) => {
    const asked = request(kind);
    locks.push(asked);
    return asked;
  };
  const held = async () => (await Promise.all(locks)).map(({ released }) => !released);
  const sensor = new MotionSensor();
  const told = [];
  sensor.start(() => {}, () => {});
  told.push(await held());
  await (await locks[0]).release(); // as a browser does where the page is hidden
  document.dispatchEvent(new Event("visibilitychange"));
  told.push(await held());
  sensor.stop();
  told.push(await held());
  sensor.start(() => {}, () => {});
  sensor.stop(); // before the lock has come
  await held();
  await new Promise((resolve) => setTimeout(resolve));
  told.push(await held());
  return told;
}"""


def test_the_screen_stays_on_while_readings_are_taken(har_url: str, open_page: OpenPage) -> None:
    told = open_page(f"{har_url}/healthz", expected=ICON).evaluate(AWAKE)
    assert told == [[True], [False, True], [False] * 2, [False] * 3]


def test_a_choice_made_before_the_recordings_come_stays(har_url: str, open_page: OpenPage) -> None:
    page = open_page(har_url)
    held: list[Route] = []
    page.route("**/recordings/index.json", lambda route: held.append(route))
    with page.expect_request("**/recordings/index.json"):
        page.reload()
    phone = page.get_by_label("This phone’s own sensors")
    phone.check()
    held.pop().continue_()
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    expect(phone).to_be_checked()


def test_sensors_need_https(open_page: OpenPage) -> None:
    with live.running(models=live.ROOT / "models", allowed_hosts=OTHER_NAME) as url:
        page = open_page(url.replace("127.0.0.1", OTHER_NAME))
        start_phone(page)
        expect(page.get_by_role("alert")).to_contain_text("https pages only")
        page.close()  # before its service goes
