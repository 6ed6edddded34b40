"""What a bridge to MQTT has taken, in its file."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from larnn_cli.bridge.journal import REMEMBERED, Delivery, Journal
from larnn_cli.bridge.records import Place, Record
from larnn_export.data import DataError


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.db")
    yield journal
    journal.close()


def test_a_delivery_that_comes_again_is_known_by_its_packet_and_its_bytes(
    journal: Journal,
) -> None:
    first = Delivery(1, False, "a", b"1")
    assert journal.write([first, Delivery(2, False, "a", b"2")]) == [
        Record(1, b"a", b"1"),
        Record(2, b"a", b"2"),
    ]
    assert journal.write([Delivery(1, True, "a", b"1")]) == []
    assert journal.write([Delivery(1, False, "a", b"1")]) != [], "the id is used again"
    assert journal.write([Delivery(1, True, "a", b"3")]) != [], "another message"
    assert journal.write([Delivery(1, True, "b", b"3")]) != [], "another topic"
    assert journal.write([Delivery(9, True, "a", b"1")]) != [], "another packet"


def test_what_was_written_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    records = journal.write([Delivery(n, False, "a", b"%d" % n) for n in range(1, 6)])
    journal.answered(records[:4])
    place = Place("stream", 20, 3, 2)
    journal.settle({b"a": place}, 3)
    journal.close()
    again = Journal(tmp_path / "journal.db")
    assert again.recover() == ({b"a": place}, {b"a": 4}, records[2:])
    assert again.write([Delivery(5, True, "a", b"5")]) == []
    again.settle({b"a": place}, 6)
    assert [new.offset for new in again.write([Delivery(6, False, "a", b"6")])] == [6]
    again.close()


def test_two_bridges_cannot_have_one_journal(tmp_path: Path, journal: Journal) -> None:
    journal.write([Delivery(1, False, "a", b"1")])
    with pytest.raises(DataError, match="another bridge has .*name another --journal"):
        Journal(tmp_path / "journal.db")


def test_it_is_its_owners_alone(tmp_path: Path, journal: Journal) -> None:
    journal.write([Delivery(1, False, "a", b"1")])
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}, modes


def test_each_has_a_session_of_its_own_which_it_keeps(tmp_path: Path, journal: Journal) -> None:
    drawn = journal.client_id()
    journal.close()
    again, other = Journal(tmp_path / "journal.db"), Journal(tmp_path / "other.db")
    assert again.client_id() == drawn != other.client_id()
    again.close()
    other.close()


def test_an_id_that_the_broker_has_used_again_is_another_message(journal: Journal) -> None:
    """The first sending of the new message was lost with its connection."""
    journal.write([Delivery(1, False, "a", b"0")])
    journal.write([Delivery(n, False, "a", b"0") for n in range(2, REMEMBERED + 1)])
    assert journal.write([Delivery(1, True, "a", b"0")]) == [], "its acknowledgement may be lost"
    journal.write([Delivery(REMEMBERED + 1, False, "a", b"0")])
    assert journal.write([Delivery(1, True, "a", b"0")]) != []


def test_a_new_session_and_qos_0_have_no_packets_from_before(journal: Journal) -> None:
    journal.write([Delivery(1, False, "a", b"0"), Delivery(0, False, "a", b"0")])
    assert journal.write([Delivery(0, False, "a", b"0")]) != []
    journal.new_session()
    assert journal.write([Delivery(1, True, "a", b"0")]) != []
