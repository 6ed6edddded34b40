"""What a turn of the event loop brings is read together, once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from larnn_service.api.turn import AT_ONCE, Turn


class Talker:
    """A connection on which something waits."""

    def __init__(self, waiting: bytes) -> None:
        self.waiting: bytes | None = waiting
        self.told: list[str] = []

    def ask(self, asked: str) -> None:
        self.waiting = None
        if asked == "break":
            raise ZeroDivisionError
        self.told.append(asked)

    def read_alone(self) -> None:
        self.waiting = None
        self.told.append("alone")

    def give_up(self) -> None:
        self.told.append("gone")


def upper(talkers: list[Talker], data: list[bytes]) -> Sequence[str | None]:
    assert 0 < len(talkers) == len(data) <= AT_ONCE
    return [None if each == b"odd" else each.decode() for each in data]


async def test_all_are_read_when_the_turn_ends() -> None:
    turn, talkers = Turn(upper), [Talker(b"%d" % number) for number in range(2 * AT_ONCE + 3)]
    for talker in [*talkers, talkers[0]]:
        turn.add(talker)
    assert not any(talker.told for talker in talkers)
    await asyncio.sleep(0)
    assert [talker.told for talker in talkers] == [[str(n)] for n in range(len(talkers))]


async def test_who_is_not_plain_is_read_alone_and_who_has_gone_not_at_all(
    caplog: pytest.LogCaptureFixture,
) -> None:
    turn = Turn(upper)
    talkers = [Talker(data) for data in (b"odd", b"break", b"gone", b"fine")]
    for talker in talkers:
        turn.add(talker)
    talkers[2].waiting = None
    await asyncio.sleep(0)
    assert [talker.told for talker in talkers] == [["alone"], ["gone"], [], ["fine"]]
    assert "could not be read" in caplog.text


async def test_a_turn_in_which_all_have_gone_reads_nothing() -> None:
    turn, talker = Turn(upper), Talker(b"late")
    turn.add(talker)
    talker.waiting = None
    await asyncio.sleep(0)
    assert talker.told == []


async def test_what_cannot_be_read_together_is_read_alone(caplog: pytest.LogCaptureFixture) -> None:
    def broken(talkers: list[Talker], data: list[bytes]) -> Sequence[str | None]:
        raise ZeroDivisionError

    turn, talkers = Turn(broken), [Talker(b"a"), Talker(b"b")]
    for talker in talkers:
        turn.add(talker)
    await asyncio.sleep(0)
    assert [talker.told for talker in talkers] == [["alone"], ["alone"]]
    assert "could not be read together" in caplog.text
