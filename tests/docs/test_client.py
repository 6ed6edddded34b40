"""docs/client.md: its blocks run, and its tables name every error and every option."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import larnn_client
from tests import live, wide
from tests.docs import page

PAGE = page.read("client.md")


def run(program: str, url: str) -> subprocess.CompletedProcess[str]:
    """With the service's address in the place of the page's."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program.replace("http://localhost:8000", url)],
        env=os.environ | {"PYTHONPATH": str(live.ROOT / "client" / "src")},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_blocks_run_one_after_the_other(har_url: str) -> None:
    blocks = [block.text for block in page.blocks(PAGE) if block.language == "python"]
    done = run("\n".join(blocks), har_url)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("larnn-har 1 [")
    assert [line.split()[0] for line in lines[1:9]] == [str(end) for end in range(16, 129, 16)]
    assert lines[9:12] == [str([6] * 16), "20", "20"]
    assert lines[-1] == "16"


def test_the_block_of_frames_runs_with_a_model_of_frames(tmp_path: Path) -> None:
    wide.publish(tmp_path, "sound-level", wide.FRAME)
    [block] = [block.text for block in page.blocks(PAGE) if block.language == "py"]
    with live.running(models=tmp_path) as url:
        done = run(block, url)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "100 left, 60 zeros, 101 frames"


def test_every_error_is_told() -> None:
    for name in larnn_client.__all__:
        item = getattr(larnn_client, name)
        if isinstance(item, type) and issubclass(item, Exception):
            assert f"`{name}`" in PAGE, name


def test_every_option_is_told_with_its_default() -> None:
    options = inspect.signature(larnn_client.Client.stream).parameters
    for name, option in options.items():
        if name == "self":
            continue
        default = f'"{option.default}"' if isinstance(option.default, str) else option.default
        written = "" if default is None else f" `{default}` |"
        assert f"| `{name}` |{written}" in PAGE, name
