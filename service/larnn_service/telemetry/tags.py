"""What a stream is called where its id must not stand."""

from __future__ import annotations

import hashlib


def tag(stream: str) -> str:
    """What logs and traces call a stream: its id is a capability, its owner's alone.

    `printf ID | sha256sum | cut -c1-12` gives the same.
    """
    return hashlib.sha256(stream.encode()).hexdigest()[:12]
