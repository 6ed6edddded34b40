"""What is wrong with data."""

from __future__ import annotations


class DataError(ValueError):
    """Data that is missing or not what it should be; the text says what to do."""
