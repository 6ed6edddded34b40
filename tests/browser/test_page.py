"""The page itself: screens, colours, keyboard, keys, and models that it cannot serve."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests import live
from tests.browser.conftest import OTHER_NAME, OpenPage
from tests.browser.person import start, wait_for_position

PHONE = {"width": 360, "height": 740}
UNAUTHORIZED = "401"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_in_both_schemes(
    har_url: str,
    open_page: OpenPage,
    picture: Callable[[Page], Path],
    scheme: Literal["light", "dark"],
) -> None:
    page = open_page(har_url, color_scheme=scheme, viewport={"width": 1280, "height": 900})
    start(page, "Walking, stairs")
    wait_for_position(page, 2180)
    picture(page)
    assert page.locator("#label").evaluate("label => label.scrollWidth <= label.clientWidth")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 150) == (scheme == "dark")
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


def test_it_fits_a_phone(
    har_url: str, open_page: OpenPage, picture: Callable[[Page], Path]
) -> None:
    page = open_page(har_url, viewport=PHONE, is_mobile=True, has_touch=True)
    start(page)
    wait_for_position(page, 300)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    for target in page.locator("button:visible, select:visible, .choice:visible").all():
        box = target.bounding_box()
        assert box is not None and box["height"] >= 40, target
    label = page.locator("#label").bounding_box()
    assert label is not None and label["y"] + label["height"] < PHONE["height"]
    picture(page)


def test_it_works_by_keyboard_alone(har_url: str, open_page: OpenPage) -> None:
    page = open_page(har_url)
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the answer")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("radio").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio").nth(1)).to_be_checked()
    for name in ("Speed", "Model"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("combobox", name=name)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Start")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#label")).to_have_text("Walking")
    expect(page.locator("#spoken")).to_have_text("Walking")
    page.keyboard.press("Enter")
    expect(page.get_by_role("log")).to_contain_text("You stopped it.")


def test_less_motion_means_fewer_drawings(har_url: str, open_page: OpenPage) -> None:
    page = open_page(har_url, reduced_motion="reduce")
    page.evaluate(
        """() => {
          window.drawn = 0;
          const clear = CanvasRenderingContext2D.prototype.clearRect;
          CanvasRenderingContext2D.prototype.clearRect = function (...box) {
            window.drawn += 1;
            return clear.apply(this, box);
          };
        }"""
    )
    start(page)
    drawn, began = page.evaluate("[window.drawn, performance.now()]")
    wait_for_position(page, 800)
    later, ended = page.evaluate("[window.drawn, performance.now()]")
    assert 0 < (later - drawn) / (ended - began) < 0.02, "three charts, twice a second each"


def test_with_keys_it_asks_for_one(toy_models: Path, open_page: OpenPage) -> None:
    entry = f"phone:{hashlib.sha256(b'the-key').hexdigest()}"
    with live.running(models=live.ROOT / "models", api_keys=entry) as url:
        page = open_page(url, expected=UNAUTHORIZED)
        expect(page.get_by_role("alert")).to_contain_text("send a key of this service")
        for key in ("another", "the-key"):
            page.get_by_label("This service asks for a key").fill(key)
            page.get_by_role("button", name="Use it").click()
            if key == "another":
                expect(page.get_by_role("alert")).to_contain_text("this is no key")
        start(page)
        wait_for_position(page, 100)
        page.reload()
        expect(page.get_by_role("button", name="Start")).to_be_enabled()


def test_a_page_that_has_made_its_name_lead_here_gets_nothing(
    toy_url: str, open_page: OpenPage
) -> None:
    """DNS rebinding, as a browser sees it: the page's origin is the service's own."""
    page = open_page(toy_url.replace("127.0.0.1", OTHER_NAME), expected="403")
    expect(page.locator("body")).to_contain_text("LARNN_ALLOWED_HOSTS")
    told = page.evaluate(
        """async () => {
          const asks = [["GET", "/models"], ["POST", "/streams"], ["POST", "/models/toy/unload"]];
          const ask = async ([method, path]) => (await fetch(path, { method })).status;
          const socket = new WebSocket(`ws://${location.host}/stream`);
          const heard = new Promise((settled) => (socket.onmessage = ({ data }) => settled(data)));
          return [...(await Promise.all(asks.map(ask))), JSON.parse(await heard).code];
        }"""
    )
    assert told == [403, 403, 403, "forbidden"]


def test_a_key_in_the_address_is_taken_out_of_it(open_page: OpenPage) -> None:
    entry = f"phone:{hashlib.sha256(b'the-key').hexdigest()}"
    with live.running(models=live.ROOT / "models", api_keys=entry) as url:
        page = open_page(f"{url}/#key=the-key")
        start(page)
        assert page.url == f"{url}/"
        page.close()  # before its service goes


def test_a_model_that_takes_something_else_is_not_offered(
    toy_url: str, open_page: OpenPage
) -> None:
    page = open_page(toy_url)
    expect(page.get_by_role("alert")).to_contain_text("No model here takes a phone’s signals")
    expect(page.get_by_role("button", name="Start")).to_be_disabled()


def test_a_model_may_be_chosen_of_those_that_fit(
    tmp_path: Path, toy_models: Path, open_page: OpenPage
) -> None:
    bundled = live.ROOT / "models" / "larnn-har"
    for name in ("another", "larnn-har"):
        shutil.copytree(bundled, tmp_path / name)
    manifest = tmp_path / "another" / "1" / "model.json"
    manifest.write_text(manifest.read_text().replace('"larnn-har"', '"another"'))
    shutil.copytree(toy_models / "toy", tmp_path / "toy")
    with live.running(models=tmp_path) as url:
        page = open_page(url)
        model = page.get_by_label("Model")
        expect(model.get_by_role("option")).to_have_text(["another", "larnn-har"])
        expect(model).to_have_value("larnn-har")
        model.select_option("another")
        start(page)
        expect(page.get_by_role("log")).to_contain_text("Stream opened on another")
        expect(model).to_be_disabled()
        page.close()  # before its service goes
