"""Takes a valid input and changes one thing in it: bytes, a tree of JSON, or a text."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Literal, TypeVar

T = TypeVar("T")
WORD = "Z"
"""What long texts are made of: an error that repeats too much of them has too many."""
NUMBERS = (
    *(-1, 0, 1, 2, 127, 128, 255, 256, 2**15, 2**16, 2**24 + 1, 2**31 - 1, 2**31, 2**32, 2**53),
    *(2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**18, 10**400),
    *(0.0, -0.0, 0.5, 5e-324, 1e-45, 3.4e38, 3.5e38, -3.5e38, 1.7e308),
)
LENGTHS = (100, 101, 127, 128, 129, 200, 256, 1000, 4096, 70_000)
MOST = 6 * 2**20
"""Bytes of JSON: more than any door takes, less than where the service lets go of who sends on."""
_LITERALS = (
    *("NaN", "Infinity", "-Infinity", "1e400", "-0", "1E+2", "01", "+1", ".5", "1.", "0x1", "1_0"),
    *(
        "nul",
        "tru",
        "True",
        "None",
        "'x'",
        "",
        ",",
        "]",
        "}",
        '"',
        '"\\ud800"',
        '"\\u0000"',
        '"\\x"',
    ),
    *("9" * 400, "[" * 3000, '{"a":' * 3000, "[" * 2000 + "]" * 2000, "1e-400", "\x00", "/*x*/1"),
)
"""What no tree can hold: its text is put into the JSON's."""
_MARKED = re.compile(r'"\\u0001(\d+)"')


class Mutator:
    """Draws everything from one source, so that the same number gives the same input again."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def chance(self, share: float) -> bool:
        """True in this share of the draws."""
        return self.random.random() < share

    def choice(self, *options: T) -> T:
        """One of the options."""
        return self.random.choice(options)

    def number(self) -> Any:
        """An extreme, or a number beside one."""
        number = self.random.choice(NUMBERS)
        return number if self.chance(0.7) else number + self.random.choice((-1, 1))

    def text(self) -> str:
        """A text of an extreme length or of unusual characters."""
        long = WORD * self.random.choice(LENGTHS)
        odd = (
            "",
            "\0",
            "\n\r",
            "é",
            "\ud800",
            "\U0001f600",
            "../..",
            "%00",
            "{0}",
            "%s",
            "-1",
            "x",
        )
        return self.choice(long, *odd)

    def data(self, data: bytes) -> bytes:
        """The bytes with one to three places changed."""
        for _ in range(self.random.randint(1, 3)):
            data = self.random.choice(_OF_BYTES)(self, data)
        return data

    def json(self, tree: Any) -> bytes:
        """The tree as JSON, with some of its nodes, or of its bytes, changed."""
        tree = copy.deepcopy(tree)
        for _ in range(self.random.choice((0, 1, 1, 1, 2, 3))):
            tree = self._changed(tree)
        text = json.dumps(tree, ensure_ascii=self.chance(0.7))
        text = _MARKED.sub(lambda mark: _LITERALS[int(mark[1])], text)
        told = text.encode("utf-8", "surrogatepass")[:MOST]
        return self.data(told) if self.chance(0.1) else told

    def _changed(self, tree: Any) -> Any:
        places = list(_places(tree))
        if not places or self.chance(0.03):
            return self._node(tree)
        holder, key = self.random.choice(places)
        kind = self.random.random()
        if kind < 0.6:
            holder[key] = self._node(holder[key])
        elif kind < 0.75:
            del holder[key]
        elif isinstance(holder, list):
            holder[key:key] = [holder[key]] * self.random.choice((1, 2, 3, 17, 200, 1100))
        else:
            name = self.choice(self.text(), "version", "model", "stream", "parameters", "offset")
            holder[name] = holder.pop(key) if self.chance(0.5) else self._node(holder[key])
        return tree

    def _node(self, value: Any) -> Any:
        """Something in the place of a value."""
        other = self.random.random()
        if other < 0.35:
            return self.number()
        if other < 0.5:
            return self.text()
        if other < 0.7:
            return f"\x01{self.random.randrange(len(_LITERALS))}"
        if other < 0.85:
            return self.random.choice(
                ([value], {"a": value}, [[value] * 2], [value, self.number()])
            )
        return self.random.choice(
            (None, True, False, [], {}, [[]], [[[]]], str(value)[:300], [None])
        )


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Where the nodes of a tree stand."""
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield tree, key
        yield from _places(tree[key])


def _flip(mutator: Mutator, data: bytes) -> bytes:
    place = mutator.random.randrange(len(data) + 1)
    return data[:place] + mutator.random.randbytes(1) + data[place + 1 :]


def _cut(mutator: Mutator, data: bytes) -> bytes:
    start, end = sorted(mutator.random.randrange(len(data) + 1) for _ in "ab")
    return mutator.choice(data[:start], data[start:], data[:start] + data[end:])


def _repeat(mutator: Mutator, data: bytes) -> bytes:
    start, end = sorted(mutator.random.randrange(len(data) + 1) for _ in "ab")
    times = mutator.choice(2, 2, 3, 10, 100)
    return data[:start] + data[start:end][:50_000] * times + data[end:]


def _insert(mutator: Mutator, data: bytes) -> bytes:
    place, new = mutator.random.randrange(len(data) + 1), mutator.random.randint(1, 16)
    return data[:place] + mutator.random.randbytes(new) + data[place:]


def _swap(mutator: Mutator, data: bytes) -> bytes:
    first, middle, end = sorted(mutator.random.randrange(len(data) + 1) for _ in "abc")
    return data[:first] + data[middle:end] + data[first:middle] + data[end:]


def _whole_number(mutator: Mutator, data: bytes) -> bytes:
    place, size = mutator.random.randrange(len(data) + 1), mutator.choice(1, 2, 4, 8)
    number: int = int(mutator.number() if mutator.chance(0.7) else len(data)) % 2 ** (8 * size)
    order: Literal["little", "big"] = "little" if mutator.chance(0.5) else "big"
    return data[:place] + number.to_bytes(size, order) + data[place + size :]


_OF_BYTES: tuple[Callable[[Mutator, bytes], bytes], ...] = (
    *(_flip, _flip, _cut, _repeat, _insert, _swap, _whole_number),
)
