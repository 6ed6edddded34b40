"""What tests of stores share."""

from __future__ import annotations

import pytest


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A stream of this test's own: the server is shared."""
    return str(request.node.name)
