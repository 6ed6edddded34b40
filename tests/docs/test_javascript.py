"""docs/javascript.md: its blocks run in an empty folder into which the tarballs were installed."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests import live
from tests.clients.node import FOLDER, WEBSOCKET, node, packages
from tests.docs import page

PAGE = page.read("javascript.md")
BLOCKS = [block.text for block in page.blocks(PAGE) if block.language == "js"]
PACKAGES = ("client", "edge")


def npm(*arguments: str, folder: Path) -> str:
    done = subprocess.run(
        ["npm", *arguments], cwd=folder, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder with the tarballs in it, packed and installed as the page says."""
    packages()
    folder = tmp_path_factory.mktemp("app")
    (folder / "package.json").write_text('{"type": "module"}')
    here, there = [block.text for block in page.blocks(PAGE) if block.language == "sh"]
    _, _, pack = here.splitlines()
    npm(*shlex.split(pack)[1:], "--pack-destination", str(folder), folder=FOLDER)
    install = shlex.split(there.replace("FOLDER/clients/ts", str(folder)))
    pinned = json.loads((FOLDER / "package.json").read_text())["devDependencies"]
    assert install[-1] == f"onnxruntime-web@{pinned['onnxruntime-web']}"
    npm(*install[1:], "--no-audit", "--no-fund", folder=folder)
    return folder


@pytest.mark.parametrize("name", PACKAGES)
def test_a_tarball_holds_sources_types_and_the_licence_alone(name: str) -> None:
    packages()
    told = npm("pack", "--dry-run", "--json", folder=FOLDER / name)
    files = set(re.findall(r'"path": "([^"]+)"', told))
    sources = {str(p.relative_to(FOLDER / name)) for p in (FOLDER / name / "src").rglob("*.js")}
    types = {re.sub("^src/(.*)js$", r"types/\1d.ts", path) for path in sources}
    assert files == sources | types | {"LICENSE", "README.md", "package.json"}


SAID = (
    r"[A-Z_]+\n\[.*'larnn-har'.*\]\n",
    r"10 [A-Z_]+\n20 [A-Z_]+\n30 [A-Z_]+\nended at 30\n",
    r"2\n",
    r"1 at the service\n2 here\nended at 2\n",
)


@pytest.mark.parametrize(("block", "said"), list(zip(BLOCKS, SAID, strict=True)))
def test_the_blocks_run(installed: Path, har_url: str, block: str, said: str) -> None:
    program = installed / "block.js"
    program.write_text(block.replace("http://localhost:8000", har_url))
    done = subprocess.run(
        [node(), "--no-warnings", WEBSOCKET, str(program)],
        cwd=live.ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(said, done.stdout, re.S), done.stdout


def test_every_option_is_told() -> None:
    for file, typedef in (("stream_options.js", "StreamOptions"), ("service.js", "ServiceOptions")):
        source = (FOLDER / "client" / "src" / file).read_text()
        [_, block] = source.split(f"@typedef {{object}} {typedef}\n")
        for option in re.findall(
            r"@property \{[^}]+(?:\}[^}]*\})?\} \[(\w+)\]", block.split("*/")[0]
        ):
            assert f"`{option}`" in PAGE, option


def test_the_changelog_calls_the_packages_as_npm_does() -> None:
    named = set(re.findall(r"`(@[\w-]+/[\w-]+)", (live.ROOT / "CHANGELOG.md").read_text()))
    called = {json.loads((FOLDER / name / "package.json").read_text())["name"] for name in PACKAGES}
    assert named == called
