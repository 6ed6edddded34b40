"""Clients that people have already: the JDK's HttpClient and curl, with what they do by default."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import live

CURL = shutil.which("curl")
WINDOW = b'{"sequences": [[[1, 2]]], "logits": true}'


@pytest.mark.skipif(shutil.which("javac") is None, reason="no JDK is installed")
def test_the_jdks_client_asks_and_streams(toy_url: str) -> None:
    """Its offer of HTTP/2 is not taken up, and harms neither a body nor a websocket."""
    source = live.ROOT / "tests" / "clients" / "Jdk.java"
    command = ["java", str(source), toy_url]
    told = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert told.returncode == 0, told.stderr
    windows, messages = told.stdout.splitlines()[:3], told.stdout.splitlines()[3:]
    for line in windows:
        version, status, body = line.split(" ", 2)
        assert (version, status) == ("HTTP_1_1", "200")
        assert json.loads(body)["predictions"][0]["logits"] == [1, 2, 1]
    logits = [json.loads(message)["logits"] for message in messages]
    assert logits == [[n, 2 * n, n] for n in (1, 2, 3, 4)]


@pytest.mark.skipif(CURL is None, reason="curl is not installed")
@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--http2"],
        ["--http1.0"],
        ["--compressed"],
        ["--header", "Expect: 100-continue"],
        ["--header", "Transfer-Encoding: chunked"],
    ],
    ids=lambda options: " ".join(options) or "plain",
)
def test_curl_is_answered_whatever_it_offers(
    toy_url: str, tmp_path: Path, options: list[str]
) -> None:
    assert curl(toy_url, WINDOW, tmp_path, *options) == [1, 2, 1]


@pytest.mark.skipif(CURL is None, reason="curl is not installed")
def test_curl_sends_large_and_compressed_bodies(toy_url: str, tmp_path: Path) -> None:
    """Above 1 MiB it waits for `100 Continue` by itself."""
    rows = ", ".join([f"[{0.125:.30f}, {0.5:.30f}]"] * 20_000)
    large = f'{{"sequences": [[{rows}]], "logits": true}}'.encode()
    assert len(large) > 2**20
    assert curl(toy_url, large, tmp_path) == [2500, 10_000, 20_000]
    zipped = gzip.compress(large)
    encoding = ("--header", "Content-Encoding: gzip")
    assert curl(toy_url, zipped, tmp_path, *encoding) == [2500, 10_000, 20_000]


def curl(url: str, body: bytes, folder: Path, *options: str) -> Any:
    """The logits that it is answered, and no more."""
    assert CURL is not None
    (folder / "body").write_bytes(body)
    command = [CURL, "--silent", "--show-error", "--fail-with-body", "--max-time", "60", *options]
    command += ["--header", "Content-Type: application/json"]
    command += ["--data-binary", f"@{folder / 'body'}", f"{url}/classify"]
    told = subprocess.run(command, capture_output=True, timeout=120)
    assert told.returncode == 0, told
    return json.loads(told.stdout)["predictions"][0]["logits"]
