"""Reading the documents: their blocks of code, their paragraphs and tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parent.parent.parent / "docs"
ANYTHING = ("…", "ID")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language and its lines."""

    language: str
    text: str

    @property
    def head(self) -> str:
        return self.text.split("\n", 1)[0]

    @property
    def rest(self) -> str:
        return self.text.partition("\n")[2]


def read(name: str) -> str:
    return (DOCS / name).read_text()


def blocks(page: str) -> list[Block]:
    return [Block(*found) for found in re.findall(r"^```(\w*)\n(.*?)\n```$", page, re.M | re.S)]


def paragraphs(page: str) -> list[str]:
    """The text between blank lines; a paragraph that ends with a colon has what follows it."""
    found: list[str] = []
    for paragraph in re.split(r"\n{2,}", page):
        if found and found[-1].endswith(":"):
            found[-1] += "\n" + paragraph
        else:
            found.append(paragraph)
    return found


def agrees(got: Any, written: Any) -> bool:
    """Whether an answer is the one written: numbers to three places, … and ID for any text."""
    if isinstance(written, dict):
        return (
            isinstance(got, dict)
            and set(got) == set(written)
            and all(agrees(got[key], value) for key, value in written.items())
        )
    if isinstance(written, list):
        return len(got) == len(written) and all(map(agrees, got, written))
    if isinstance(written, float):
        return bool(got == pytest.approx(written, abs=1e-3))
    return written in ANYTHING or bool(got == written)
