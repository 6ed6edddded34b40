"""The three topics of a bridge: where steps come from, answers go to, and places are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from larnn_export.data import DataError

MARK = "larnn-bridge"
"""The header of an answer that says whose it is."""
_KEPT = {"cleanup.policy": "compact", "retention.ms": "-1"}


@dataclass(frozen=True)
class Topics:
    """Their names; all have as many partitions, and a partition's answers have its number."""

    source: str
    answers: str
    group: str

    @property
    def places(self) -> str:
        """The topic of the snapshots, of this group and source alone."""
        return f"{self.answers}.{self.source}.{self.group}.places"

    @property
    def mark(self) -> bytes:
        """Whose answers these are, where several groups answer to one topic."""
        return f"{self.group}/{self.source}".encode()

    @property
    def headers(self) -> tuple[tuple[str, bytes]]:
        """Of each answer."""
        return ((MARK, self.mark),)

    async def prepare(self, broker: Mapping[str, Any]) -> None:
        """Make the topics that are missing. Raises DataError, KafkaError."""
        admin = AIOKafkaAdminClient(**broker)
        await admin.start()
        try:
            partitions, replicas = await _described(admin, self.source)
            if not partitions:
                raise DataError(f"the broker has no topic {self.source}: create it first")
            for name, settings in ((self.answers, {}), (self.places, _KEPT)):
                if not (await _described(admin, name))[0]:
                    new = NewTopic(name, partitions, replicas, topic_configs=settings)
                    await admin.create_topics([new])
                found, _ = await _described(admin, name)
                if found != partitions:
                    raise DataError(
                        f"{name} has {found} partitions and {self.source} {partitions}: give it as "
                        "many, or name another topic for the answers"
                    )
        finally:
            await admin.close()


async def _described(admin: AIOKafkaAdminClient, name: str) -> tuple[int, int]:
    """Partitions and replicas; none of a topic that there is not."""
    [told] = await admin.describe_topics([name])
    if told["error_code"]:
        return 0, 0
    partitions = told["partitions"]
    return len(partitions), len(partitions[0]["replicas"]) if partitions else 0
