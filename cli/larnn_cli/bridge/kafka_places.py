"""Where each key stands, kept at the broker: snapshots in a topic, and the answers since.

An answer is itself a statement that holds for ever: this stream, at this position, has taken every
record of the key up to this offset. So a snapshot may be an old one, or of a bridge that is gone:
with the answers behind it, it leads to the same places. Where a stream was lost, answers of another
one follow, from the first record that it took.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import astuple, dataclass, field, replace

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from larnn_cli.bridge.kafka_topics import MARK
from larnn_cli.bridge.records import Place, places_of
from larnn_export.data import DataError


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

    def take(self, offset: int, key: bytes, body: bytes, committed: int) -> None:
        """The next answer, at this offset. Of another stream than what is known of its key it says
        that this was lost: the other stands before its record."""
        before, behind = places_of(body)
        known = self.places.get(key, Place())
        if known.stream != behind.stream:
            self.places[key] = replace(before, sequence=known.sequence)
            self.answered.pop(key, None)
        self.answered[key] = max(self.answered.get(key, -1), before.offset)
        if before.offset >= committed:
            self.answers.append((offset, before.offset))
        elif behind.offset > self.places[key].offset:
            self.places[key] = behind


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
    reader: AIOKafkaConsumer,
    snapshots: TopicPartition,
    answers: TopicPartition,
    committed: int,
    mark: bytes,
) -> Places:
    """What the last snapshot says and the answers of this `mark` after it; `committed` is the first
    record that may have to be run again. Without a snapshot only answers from now on count. Raises
    DataError where the broker has deleted answers that are needed."""
    ends = await reader.end_offsets([snapshots, answers])
    found = Places(end=ends[answers])
    if not ends[snapshots]:
        return found
    first = 0
    reader.assign([snapshots])
    async for record in _from(reader, snapshots, ends[snapshots] - 1, ends[snapshots]):
        found.places, first = unpack(record.value)
    reader.assign([answers])
    try:
        async for record in _from(reader, answers, first, ends[answers]):
            if (MARK, mark) in record.headers:
                found.take(record.offset, record.key or b"", record.value, committed)
    except OffsetOutOfRangeError as error:
        raise DataError(
            f"{answers.topic} has lost its answers from offset {first} of partition "
            f"{answers.partition} on, which say where streams stand: give it a longer "
            "retention.ms, and begin again with another --group"
        ) from error
    found.end = await reader.position(answers)
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
