"""MLflow's registry: a model by its version, or by an alias that moves from one to the next."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from larnn_service.backend.sources.source import Found
from larnn_service.errors import StartupError

_ADDRESS = re.compile(r"models:/(?P<name>[^/@]+)(@(?P<alias>[^/@]+)|/(?P<version>\d+))")


class Registered:
    """The files of one model, of whichever version the address means now."""

    def __init__(self, address: str) -> None:
        """The tracking server is that of MLFLOW_TRACKING_URI. Raises StartupError."""
        from mlflow import MlflowClient

        if (match := _ADDRESS.fullmatch(address)) is None:
            raise StartupError(f"LARNN_MODELS={address}: say models:/name@alias or models:/name/3")
        self._name, self._alias, self._version = match["name"], match["alias"], match["version"]
        self._client: Any = MlflowClient()

    def files(self) -> dict[str, Found]:
        """Those that were registered with the version."""
        if self._alias is not None:
            found = self._client.get_model_version_by_alias(self._name, self._alias)
            self._version = found.version
        return {path: Found(size, f"{self._version}") for path, size in self._walk("")}

    def _walk(self, folder: str) -> Iterator[tuple[str, int]]:
        from mlflow.artifacts import list_artifacts

        for each in list_artifacts(artifact_uri=self._uri(folder)):
            if each.is_dir:
                yield from self._walk(each.path)
            else:
                yield each.path, each.file_size or 0

    def fetch(self, path: str, to: Path) -> None:
        """By way of a folder, since MLflow keeps the file's name."""
        from mlflow.artifacts import download_artifacts

        with TemporaryDirectory(dir=to.parent) as folder:
            got = download_artifacts(artifact_uri=self._uri(path), dst_path=folder)
            Path(got).replace(to)

    def _uri(self, path: str) -> str:
        whole = f"models:/{self._name}/{self._version}"
        return f"{whole}/{path}" if path else whole
