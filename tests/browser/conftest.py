"""Headless Chromium of the system, and pages that tell when something went wrong in them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import live, tools

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OTHER_NAME = "larnn.test"
"""Leads to this machine too, but browsers do not trust it without https."""
ARGUMENTS = [
    "--no-sandbox",
    f"--host-resolver-rules=MAP {OTHER_NAME} 127.0.0.1",
    "--use-fake-device-for-media-stream",  # a microphone that beeps
    "--use-fake-ui-for-media-stream",  # and a person who allows it
]
ICON = "Failed to load resource"
"""What a browser writes into its console where a path is no page, and has no icon."""
PICTURES = live.ROOT / "build" / "pictures"
"""What the tests saw; for people."""

OpenPage = Callable[..., Page]

expect.set_options(timeout=20_000)  # a busy machine is slow, not wrong


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        tools.missing("Chromium is not installed: apt-get install chromium", "BROWSER")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens a page in a browser of its own kind; its errors fail the test in the end."""
    wrong: list[str] = []
    with ExitStack() as stack:

        def opened(url: str, expected: str | tuple[str, ...] = (), **context: Any) -> Page:
            fine = (expected,) if isinstance(expected, str) else expected
            page = stack.enter_context(browser.new_context(**context)).new_page()
            page.set_default_timeout(100_000)  # a busy machine is slow, not wrong
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on(
                "console",
                lambda message: (
                    wrong.append(message.text)
                    if message.type in ("error", "warning")
                    and not any(each in message.text for each in fine)
                    else None
                ),
            )
            page.goto(url)
            return page

        yield opened
    assert not wrong


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Callable[[Page], Path]:
    """Keeps a picture of the whole page under the test's name."""

    def keep(page: Page) -> Path:
        path = PICTURES / f"{request.node.name}.png"
        page.screenshot(path=path, full_page=True)
        return path

    return keep
