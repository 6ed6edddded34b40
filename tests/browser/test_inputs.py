"""The page beside networks that take no phone's signals: it offers those that it can read for."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import expect

from tests import live, wide
from tests.browser.conftest import OpenPage


def test_a_frame_is_offered_a_range_is_not(tmp_path: Path, open_page: OpenPage) -> None:
    wide.publish(tmp_path, "range", wide.RANGE)
    with live.running(models=tmp_path, model="range") as url:
        page = open_page(url)
        expect(page.locator("#problem")).to_contain_text("No model here takes a phone’s signals")
    wide.publish(tmp_path, "frame", wide.FRAME)
    shutil.copytree(live.ROOT / "models" / "larnn-har", tmp_path / "larnn-har")
    with live.running(models=tmp_path, model="frame") as url:
        page = open_page(url)
        microphone, recording = page.get_by_label("microphone"), page.get_by_label("Walking")
        expect(page.locator("#model option")).to_have_text(["frame", "larnn-har"])
        expect(microphone).to_be_checked()
        expect(recording).to_be_hidden()
        page.get_by_label("Model").select_option("larnn-har")
        expect(page.get_by_role("radio").first).to_be_checked()
        expect(microphone).to_be_hidden()
        expect(page.locator("#sound")).to_be_hidden()
        expect(page.locator("#acceleration")).to_be_visible()
