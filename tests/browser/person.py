"""What a person does on the page, and what they read there."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect


def start(page: Page, source: str = "Standing, sitting", speed: int = 8) -> None:
    page.get_by_text(source).click()
    page.get_by_label("Speed").select_option(str(speed))
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("status")).to_have_text("Connected")


def fact(page: Page, name: str) -> int:
    """A number of the stream's card; -1 before there is one."""
    digits = re.sub(r"\D", "", page.locator(f"#{name}").inner_text())
    return int(digits) if digits else -1


def wait_for_position(page: Page, position: int) -> None:
    page.wait_for_function(
        "least => document.querySelector('#position').textContent.replaceAll(',', '') >= least",
        arg=position,
    )


def wait_for_end(page: Page) -> None:
    """Fails with the page's own log where the stream did not come to its end."""
    status = page.get_by_role("status")
    expect(status).to_have_text(re.compile("Stream ended|Stopped"), timeout=60_000)
    assert status.inner_text() == "Stream ended", page.get_by_role("log").inner_text()
