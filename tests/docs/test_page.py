"""docs/page.md: what it names is there, and the page's files are in its table."""

from __future__ import annotations

import importlib.util
import re

from larnn_service.endpoints.live_page import FILES
from tests import live
from tests.docs import page

PAGE = page.read("page.md")


def test_every_file_it_names_exists_and_every_module_is_named_or_small() -> None:
    named = set(re.findall(r"`(service/larnn_service/web/[\w./]+)`", PAGE))
    for path in named:
        assert (live.ROOT / path).exists(), path
    small = {"key.js", "service.js", "words.js"}
    modules = {
        f"service/larnn_service/web/{path.name}"
        for path in FILES.glob("*.js")
        if path.name not in small
    }
    assert modules <= named


def test_every_link_and_picture_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", PAGE):
        assert (page.DOCS / target).exists(), target


def test_its_commands_exist() -> None:
    makefile = (live.ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^make (\w+)$|`make (\w+)`", PAGE, flags=re.MULTILINE))
    assert targets == {("phone", ""), ("", "serve")}
    for target in filter(None, {"".join(found) for found in targets}):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
    for module in re.findall(r"`python -m ([\w.]+)`", PAGE):
        assert importlib.util.find_spec(module), module
