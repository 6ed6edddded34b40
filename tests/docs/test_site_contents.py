"""The site's contents: every page has its place there."""

from __future__ import annotations

import runpy

from tests import live

ROOT = live.ROOT


def test_every_page_is_in_the_contents() -> None:
    parts = runpy.run_path(str(ROOT / "docs" / "site" / "conf.py"))["PARTS"]
    listed = {page for pages in parts.values() for page in pages}
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    names = {str(page.relative_to(ROOT).with_suffix("")) for page in pages}
    assert names - listed == {"README"}, "add them to PARTS of docs/site/conf.py"
    assert {page for page in listed if page.startswith("docs/")} - names == {
        "docs/decisions/README"
    }
