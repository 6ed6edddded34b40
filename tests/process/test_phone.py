"""python -m service phone says at once what it lacks, before a model is loaded."""

from __future__ import annotations

import pytest

from larnn_service.errors import StartupError
from larnn_service.process import phone


@pytest.mark.parametrize("missing", phone.PACKAGES)
def test_a_package_that_is_missing_is_named_with_what_to_do(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phone, "find_spec", lambda name: None if name == missing else name)
    with pytest.raises(StartupError, match=f"{missing} is not installed: make phone"):
        phone.check_packages()


def test_with_both_nothing_is_said() -> None:
    phone.check_packages()
