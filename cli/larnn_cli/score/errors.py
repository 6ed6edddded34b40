"""Errors of files, tables and buckets as one that has a line to tell."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

import pyarrow as pa

from larnn_export.data import DataError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """Whatever a file, a table or a bucket raises becomes a DataError that begins with `what`;
    no space is left to all files alike, so it remains what it is."""
    try:
        yield
    except (OSError, pa.ArrowException, *_of_buckets()) as error:
        if isinstance(error, OSError) and error.errno in _NO_SPACE:
            raise
        line = str(error).partition("\n")[0] or type(error).__name__
        raise DataError(f"{what}: {line}") from error


def _of_buckets() -> tuple[type[Exception], ...]:
    """Those of obstore are no OSError."""
    try:
        from obstore.exceptions import BaseError
    except ImportError:
        return ()
    return (BaseError,)
