"""Where each key stands, kept at the broker: snapshots in a topic, and the answers since.

An answer is itself a statement that holds for ever: this stream, at this position, has taken every
record of the key up to this offset. So a snapshot may be an old one, or of a bridge that is gone:
with the answers behind it, it leads to the same places.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import astuple, dataclass, field

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from larnn_cli.bridge.records import Place, place_of


@dataclass
class Places:
    """What is known of one partition when a bridge takes it over."""

    places: dict[bytes, Place] = field(default_factory=dict)
    """By key: the place before the first record that is not committed."""
    answered: dict[bytes, int] = field(default_factory=dict)
    """By key: the last record that is answered, committed or not."""
    answers: list[tuple[int, int]] = field(default_factory=list)
    """Of answers to records that are not committed: their offset, and the record's."""
    end: int = 0
    """Of the partition of answers."""


def pack(places: Mapping[bytes, Place], answers: int) -> bytes:
    """A snapshot: the places, and the offset behind which the answers tell what has come since."""
    told = {key.hex(): astuple(place) for key, place in places.items()}
    return zlib.compress(json.dumps({"answers": answers, "places": told}).encode())


def unpack(body: bytes) -> tuple[dict[bytes, Place], int]:
    """Places and offset. Raises ValueError, KeyError, TypeError, zlib.error."""
    told = json.loads(zlib.decompress(body))
    places = {bytes.fromhex(key): Place(*place) for key, place in told["places"].items()}
    return places, told["answers"]


async def recover(
    reader: AIOKafkaConsumer, snapshots: TopicPartition, answers: TopicPartition, committed: int
) -> Places:
    """What the last snapshot says and the answers after it; `committed` is the first record that
    may have to be run again. Without a snapshot only answers from now on count."""
    reader.assign([snapshots, answers])
    ends = await reader.end_offsets([snapshots, answers])
    found = Places(end=ends[answers])
    if not ends[snapshots]:
        return found
    reader.pause(answers)
    async for record in _from(reader, snapshots, ends[snapshots] - 1, ends[snapshots]):
        found.places, first = unpack(record.value)
    reader.resume(answers)
    reader.pause(snapshots)
    earliest: dict[bytes, Place] = {}
    async for record in _from(reader, answers, first, ends[answers]):
        key, place = record.key or b"", place_of(record.value)
        found.answered[key] = max(found.answered.get(key, -1), place.offset - 1)
        if place.offset <= committed:
            if place.offset > found.places.get(key, Place()).offset:
                found.places[key] = place
        else:
            found.answers.append((record.offset, place.offset - 1))
            earliest.setdefault(key, place)
    found.end = await reader.position(answers)
    for key, place in earliest.items():  # its stream is open, and not durable: it begins again
        found.places.setdefault(key, Place(place.stream, 0, 0))
    return found


async def _from(
    reader: AIOKafkaConsumer, partition: TopicPartition, first: int, end: int
) -> AsyncIterator[ConsumerRecord]:
    """The records from `first` to `end`, or to what a fetch says of the end where that is further;
    those of a partition may have gaps."""
    reader.seek(partition, first)
    while await reader.position(partition) < max(end, reader.highwater(partition) or 0):
        for record in (await reader.getmany(partition, timeout_ms=1000)).get(partition, []):
            yield record
