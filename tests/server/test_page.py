"""The live page's doors and that of /docs: open to all, loading nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import httpx
import numpy as np
import pytest

from larnn_service.endpoints import live_page
from larnn_service.endpoints.live_page import FILES
from tests import live

ASSETS = [
    "/",
    "/docs",
    *sorted(f"/web/{path.name}" for path in FILES.iterdir() if path.is_file()),
    "/web/client/index.js",
    "/web/recordings/index.json",
    "/web/uplot/uPlot.iife.min.js",
    "/web/uplot/uPlot.min.css",
]


@pytest.mark.parametrize("path", ASSETS)
def test_it_loads_nothing_from_elsewhere_and_is_framed_by_nobody(
    client: httpx.Client, path: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self' 'sha256-")
    assert "unsafe" not in policy and "http" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    again = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_its_links_lead_somewhere_and_say_what_they_lead_to(
    client: httpx.Client, path: str
) -> None:
    page = client.get(path).text
    for path in re.findall(r'(?:src|href)="([^"#]+)"', page):
        assert client.get(f"/{path}").status_code == 200, path
    for path, digest in re.findall(r'"(web/uplot/[^"]+)" integrity="sha384-([^"]+)"', page):
        found = hashlib.sha384(client.get(f"/{path}").content).digest()
        assert base64.b64encode(found).decode() == digest, path
    assert not re.findall(r"https?://", page)


def test_the_modules_import_what_exists() -> None:
    for module in FILES.glob("*.js"):
        for name in re.findall(r'from "\./([^"]+)"', module.read_text()):
            assert (FILES / name).is_file(), (module.name, name)


def test_the_page_needs_no_key_and_gives_nothing_else_away(toy_models: object) -> None:
    entry = f"phone:{'ab' * 32}"
    with live.running(models=toy_models, model="toy", api_keys=entry) as url:
        assert httpx.get(f"{url}/").status_code == 200
        assert httpx.get(f"{url}/web/app.js").status_code == 200
        for path in ("/models", "/streams/x", "/web", "/webs", "//"):
            assert httpx.get(f"{url}{path}").status_code == 401, path
        for path in ("/web/../models", "/web/%2e%2e/models", "/web/%2e%2e/%2e%2e/app.py"):
            assert httpx.get(f"{url}{path}").status_code in (401, 404), path


def test_a_file_that_is_not_there_is_a_problem(client: httpx.Client) -> None:
    answer = client.get("/web/nothing.js")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def test_the_recordings_are_as_long_as_they_say() -> None:
    index = json.loads((FILES / "recordings" / "index.json").read_text())
    for entry in index["recordings"]:
        counts = np.fromfile(FILES / "recordings" / f"{entry['name']}.bin", "<i2")
        assert counts.shape == (6 * entry["steps"],)
        for _, first, end in entry["activities"]:
            assert 0 <= first < end <= entry["steps"]


def test_without_what_draws_charts_it_serves_and_says_so(
    toy_models: object,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(live_page, "UPLOT", tmp_path / "nowhere")
    with live.running(models=toy_models, model="toy") as url:
        assert httpx.get(f"{url}/").status_code == 200
    assert "python wheels/uplot.py" in caplog.text
