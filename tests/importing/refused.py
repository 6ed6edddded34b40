"""What an import says that is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from larnn_export.importing import Options, import_graph
from larnn_export.importing.problems import ImportFailed


def refused(file: Path, folder: Path, said: dict[str, Any] | None = None, **more: Any) -> str:
    """Its text; nothing stays behind."""
    options = Options.model_validate({"name": "mine", **(said or {})})
    with pytest.raises(ImportFailed) as refused:
        import_graph(file, options, folder / "models", **more)
    assert not (folder / "models").exists()
    return str(refused.value)
