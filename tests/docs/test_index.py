"""docs/README.md leads to every page, and every link of every page leads somewhere."""

from __future__ import annotations

import re

import pytest

from tests.docs import page

PAGES = sorted(
    str(path.relative_to(page.DOCS))
    for path in page.DOCS.rglob("*.md")
    if path.parent.name != "site"  # those are put elsewhere, where `make site` checks their links
)
INDEX = page.read("README.md")


@pytest.mark.parametrize("name", [name for name in PAGES if "/" not in name])
def test_the_index_leads_to_every_page(name: str) -> None:
    assert name == "README.md" or f"({name})" in INDEX


@pytest.mark.parametrize("name", [*(n for n in PAGES if "/" not in n), "../kernels/README.md"])
def test_a_page_begins_with_whom_it_is_for_and_what_they_can_do_after_it(name: str) -> None:
    opening = page.read(name).split("\n\n")[1]
    assert re.match(r"For [\s\S]+?\. After (this\s+page|five minutes)\s", opening), opening


def _anchors(text: str) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read(name)):
        file = (page.DOCS / name).parent / target if target else page.DOCS / name
        assert file.exists(), target
        if anchor:
            assert anchor in _anchors(file.read_text()), f"{target}#{anchor}"
