"""python -m service phone: from the printed address to a stream from an https page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from larnn_service.errors import StartupError
from larnn_service.process.phone import own_address
from tests import live
from tests.browser.conftest import OpenPage
from tests.browser.person import start, wait_for_position


@pytest.fixture
def address() -> Iterator[str]:
    """What the command prints below the QR code."""
    command = subprocess.Popen(
        [sys.executable, "-m", "service", "phone", "--host", "127.0.0.1"],
        env=os.environ | live.environment(port=0),
        cwd=live.ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert command.stdout is not None
    picture = ""
    for line in command.stdout:
        if line.startswith("https://"):
            break
        picture += line
    assert len(re.findall("[▀▄█]", picture)) > 300
    yield line.strip()
    command.terminate()
    assert command.wait(60) == 0
    command.stdout.close()


def test_the_printed_address_opens_a_page_that_may_read_sensors(
    address: str, open_page: OpenPage
) -> None:
    assert "#key=" in address
    page = open_page(address, ignore_https_errors=True)
    assert page.evaluate("window.isSecureContext")
    start(page)
    wait_for_position(page, 50)
    expect(page).to_have_url(address.partition("#")[0])
    page.get_by_role("button", name="Stop").click()


def test_the_address_is_one_of_this_machine() -> None:
    try:
        address = own_address()
    except StartupError as error:
        assert "--host" in str(error)
    else:
        assert re.fullmatch(r"\d+\.\d+\.\d+\.\d+", address)
