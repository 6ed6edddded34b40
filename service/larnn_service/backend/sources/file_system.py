"""Buckets and the Hub, both as fsspec shows them."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from larnn_service.backend.sources.source import Found

_LONGEST = 3_600.0
"""Seconds that a request to a bucket may take, with its body: obstore's own 30 end large files."""
_MARKS = ("e_tag", "blob_id")
"""What obstore calls S3's ETag, and the Hub's name of a blob."""


class FileSystem:
    """A folder of such a file system."""

    def __init__(self, files: Any, address: str, resolve: Callable[[str], str] = str) -> None:
        """`files`: an fsspec file system; `address`: a path in it, as `resolve` makes it one of
        those that are listed."""
        self._files, self._address, self._resolve = files, address, resolve
        self._root = ""

    def files(self) -> dict[str, Found]:
        """What it lists now, not what it listed before."""
        self._files.invalidate_cache()
        self._root = self._resolve(self._address).strip("/")
        listed = self._files.find(self._root, detail=True)
        return {
            path.removeprefix(self._root).lstrip("/"): Found(int(info["size"]), _mark(info))
            for path, info in listed.items()
        }

    def fetch(self, path: str, to: Path) -> None:
        """By the file system's own transfer."""
        self._files.get_file(f"{self._root}/{path}", str(to))


def buckets(within: float = _LONGEST) -> Any:
    """S3 as an fsspec file system; endpoint, region and keys are those of AWS_… in the
    environment. `within`: seconds that one request may take."""
    from obstore.fsspec import FsspecStore

    plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    timeout = timedelta(seconds=min(within, _LONGEST))
    return FsspecStore("s3", client_options={"allow_http": plain, "timeout": timeout})


def bucket(address: str, within: float) -> FileSystem:
    """`s3://bucket/path`; `within` as of `buckets`."""
    return FileSystem(buckets(within), address.removeprefix("s3://"))


def hub(address: str) -> FileSystem:
    """`hf://owner/name@revision/path`; endpoint and token are those of HF_… in the environment."""
    from huggingface_hub import HfFileSystem

    files = HfFileSystem()

    def resolve(path: str) -> str:  # it asks the Hub
        return str(files.resolve_path(path).unresolve())

    return FileSystem(files, address.removeprefix("hf://"), resolve)


def _mark(info: dict[str, Any]) -> str:
    found = [str(info[name]) for name in _MARKS if info.get(name)]
    return found[0] if found else str(info["size"])
