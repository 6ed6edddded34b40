"""The page at /docs: every door, its shapes, and a form that tries it, from this service alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests import live
from tests.browser.conftest import OpenPage


def door(page: Page, method: str, path: str) -> Locator:
    """A door's card, opened."""
    card = page.locator(f'[id="{method}-{path}"]')
    card.locator("summary").click()
    return card


def sends(card: Locator) -> Locator:
    """What the door answers to what its form holds."""
    card.get_by_role("button", name="Send").click()
    return card.get_by_label("The answer")


def test_it_has_every_door_and_shape_of_the_document(toy_url: str, open_page: OpenPage) -> None:
    document = httpx.get(f"{toy_url}/openapi.json").json()
    page = open_page(f"{toy_url}/docs")
    expect(page.get_by_role("heading", name="shapes")).to_be_visible()
    found = page.locator("details").evaluate_all("cards => cards.map((card) => card.id)")
    endpoints = [f"{method}-{path}" for path, ways in document["paths"].items() for method in ways]
    assert sorted(found) == sorted([*endpoints, *document["components"]["schemas"]])
    page.locator("details").evaluate_all("cards => cards.forEach((card) => (card.open = true))")
    expect(page.locator(".inside")).to_have_count(len(found))
    for link in page.locator("main a").evaluate_all("links => links.map((link) => link.hash)"):
        assert link[1:] in found


def test_it_loads_nothing_from_elsewhere(toy_url: str, open_page: OpenPage) -> None:
    """Nor would the policy let it: a script from elsewhere and one in the page do not run."""
    page = open_page("about:blank", expected="violates the following Content Security Policy")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{toy_url}/docs")
    expect(page.get_by_role("heading", name="shapes")).to_be_visible()
    assert f"{toy_url}/web/docs.js" in asked
    assert [url for url in asked if not url.startswith(f"{toy_url}/")] == []
    refused = page.evaluate(
        """async () => {
          const script = (properties) => new Promise((settled) => {
            document.addEventListener("securitypolicyviolation", settled, { once: true });
            document.head.append(Object.assign(document.createElement("script"), properties));
          });
          return [
            (await script({ src: "https://elsewhere.example/script.js" })).effectiveDirective,
            (await script({ textContent: "window.ran = true" })).effectiveDirective,
            window.ran,
          ];
        }"""
    )
    assert refused == ["script-src-elem", "script-src-elem", None]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_endpoints_are_accessible_in_both_schemes(
    toy_url: str,
    open_page: OpenPage,
    picture: Callable[[Page], Path],
    scheme: Literal["light", "dark"],
) -> None:
    page = open_page(f"{toy_url}/docs", color_scheme=scheme)
    expect(sends(door(page, "get", "/healthz"))).to_contain_text('{"status":"alive"}')
    door(page, "post", "/classify")
    door(page, "put", "/streams/{stream_id}/state")
    picture(page)
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


def test_it_fits_a_phone(toy_url: str, open_page: OpenPage) -> None:
    page = open_page(f"{toy_url}/docs", viewport={"width": 360, "height": 740}, is_mobile=True)
    door(page, "post", "/classify")
    door(page, "post", "/v2/models/{name}/versions/{version}/infer")
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_an_endpoint_is_tried(toy_url: str, open_page: OpenPage, tmp_path: Path) -> None:
    """With a body of JSON, a query, a path's parameter, a file, and a wrong one."""
    page = open_page(f"{toy_url}/docs", expected="the server responded with a status of 422")
    classify = door(page, "post", "/classify")
    classify.get_by_label("body, application/json").fill('{"sequences": [[[1, 2]]]}')
    expect(sends(classify)).to_contain_text('"label":"RIGHT"')
    classify.get_by_label("body, application/json").fill("{")
    expect(sends(classify)).to_contain_text("bad_json")
    opening = door(page, "post", "/streams")
    opening.get_by_label("idempotency-key").fill("one")
    expect(sends(opening)).to_contain_text("201")
    expect(sends(opening)).to_contain_text('"type":"opened"')
    stream = httpx.post(f"{toy_url}/streams", headers={"Idempotency-Key": "one"}).json()["stream"]
    state = door(page, "get", "/streams/{stream_id}/state")
    state.get_by_label("stream_id").fill(stream)
    expect(sends(state)).to_contain_text("bytes, application/octet-stream")
    (tmp_path / "state").write_bytes(httpx.get(f"{toy_url}/streams/{stream}/state").content)
    putting = door(page, "put", "/streams/{stream_id}/state")
    putting.get_by_label("stream_id").fill(stream)
    putting.get_by_label("body, application/octet-stream").set_input_files(tmp_path / "state")
    expect(sends(putting)).to_contain_text('"type":"opened"')


def test_a_link_to_a_shape_opens_it(toy_url: str, open_page: OpenPage) -> None:
    page = open_page(f"{toy_url}/docs#Problem")
    expect(page.locator("#Problem")).to_contain_text("expected_offset")
    door(page, "post", "/classify").get_by_role("link", name="ClassifyAnswer").click()
    expect(page.locator("#ClassifyAnswer")).to_contain_text("predictions")


def test_with_keys_it_takes_one_and_keeps_it_for_the_tab(
    toy_models: Path, open_page: OpenPage
) -> None:
    entry = f"phone:{hashlib.sha256(b'the-key').hexdigest()}"
    with live.running(models=toy_models, model="toy", api_keys=entry) as url:
        page = open_page(f"{url}/docs", expected="401")
        models = door(page, "get", "/models")
        expect(sends(models)).to_contain_text("unauthorized")
        page.get_by_label("Key", exact=True).fill("the-key")
        page.get_by_role("button", name="Use it").click()
        expect(page.get_by_role("status")).to_have_text("a key is kept for this tab")
        expect(sends(models)).to_contain_text('"default":"toy"')
        assert page.evaluate("localStorage.length") == 0
        page.close()  # before its service goes
