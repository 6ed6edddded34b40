"""The documentation as a site: every link leads somewhere, and it is read without a network."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import expect

from tests import live
from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.deploy
SITE = live.ROOT / "build" / "site" / "html"


class Page(HTMLParser):
    """What a page names and what it refers to."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(file.read_text())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attributes if value is not None}
        self.names |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        self.loads += [given[name] for name in ("src", "srcset") if name in given]
        if tag == "link" and "href" in given:
            self.loads.append(given["href"])


@pytest.fixture(scope="module")
def site() -> dict[Path, Page]:
    """Its pages, built anew."""
    done = subprocess.run(
        [sys.executable, live.ROOT / "docs" / "site" / "build.py"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {file: Page(file) for file in SITE.rglob("*.html")}


def test_each_link_leads_to_a_place_of_a_page(site: dict[Path, Page]) -> None:
    broken = []
    for file, page in site.items():
        for link in page.links + page.loads:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            to = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            named = (
                to not in site or not parts.fragment or unquote(parts.fragment) in site[to].names
            )
            if not to.exists() or not named:
                broken.append(f"{file.relative_to(SITE)}: {link}")
    assert not broken
    assert len(site) > 90  # a page for each decision and each model, too


def test_nothing_is_loaded_from_elsewhere(site: dict[Path, Page]) -> None:
    loads = {load for page in site.values() for load in page.loads}
    assert not [load for load in loads if urlsplit(load).netloc]


def test_references_are_made_of_the_code(site: dict[Path, Page]) -> None:
    told = {name: (SITE / "reference" / f"{name}.html").read_text() for name in NAMES}
    for name, words in NAMES.items():
        for word in words:
            assert word in told[name], word


NAMES = {
    "http": ("/classify", "/v2/models/", "/streams/"),
    "python": ("AsyncClient", "Resampler"),
    "client": ("Backpressure", "StreamOptions"),
    "edge": ("EdgeModel", "EdgeStream"),
}


@pytest.fixture
def url(site: dict[Path, Page]) -> Iterator[str]:
    """Where it is served, as any server of files does it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/README.html"
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts, directory=str(SITE))

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


def test_it_is_read_and_searched(url: str, open_page: OpenPage) -> None:
    page = open_page(url)
    page.get_by_role("link", name="Architecture", exact=True).first.click()
    expect(page.locator(".mermaid svg").first).to_be_visible()
    page.get_by_label("Search").first.fill("rebalance")
    page.get_by_label("Search").first.press("Enter")
    expect(page.locator("#search-results a").first).to_contain_text("bridge", ignore_case=True)
