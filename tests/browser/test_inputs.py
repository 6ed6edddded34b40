"""The page beside networks that take no phone's signals: it offers those that do."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import expect

from tests import live, wide
from tests.browser.conftest import OpenPage


def test_a_range_and_a_frame_are_not_offered(tmp_path: Path, open_page: OpenPage) -> None:
    for name, step in (("range", wide.RANGE), ("frame", wide.FRAME)):
        wide.publish(tmp_path, name, step)
    with live.running(models=tmp_path, model="range") as url:
        page = open_page(url)
        expect(page.locator("#problem")).to_contain_text("No model here takes a phone’s signals")
    shutil.copytree(live.ROOT / "models" / "larnn-har", tmp_path / "larnn-har")
    with live.running(models=tmp_path, model="range") as url:
        page = open_page(url)
        expect(page.locator("#start")).to_be_enabled()
        assert page.locator("#model option").all_text_contents() == ["larnn-har"]
