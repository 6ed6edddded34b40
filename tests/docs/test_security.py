"""SECURITY.md: what it names exists, and it invents no address."""

from __future__ import annotations

import re

from larnn_service.settings import Settings
from larnn_service.wire.error_responses import FAILURES
from tests import live
from tests.docs import page

TEXT = (live.ROOT / "SECURITY.md").read_text()


def test_every_setting_and_code_that_it_names_exists() -> None:
    for name in re.findall(r"`LARNN_([A-Z_]+)", TEXT):
        assert name.lower() in Settings.model_fields, name
    for code in re.findall(r"`([a-z_]+)`", TEXT):
        assert code in FAILURES or code == "main", code


def test_every_link_leads_somewhere() -> None:
    for target, anchor in re.findall(r"\]\(([^)#]+)#?([^)]*)\)", TEXT):
        heads = re.findall(r"^#+ (.+)$", (live.ROOT / target).read_text(), re.MULTILINE)
        assert not anchor or anchor in {head.lower().replace(" ", "-") for head in heads}


def test_it_is_found_and_names_a_private_way_to_report() -> None:
    assert "(SECURITY.md)" in (live.ROOT / "README.md").read_text()
    assert "(../SECURITY.md)" in page.read("deployment.md")
    assert "Report a vulnerability" in TEXT
    assert "@" not in TEXT
