"""What was measured is told without holding the event loop."""

from __future__ import annotations

import asyncio
import re

from larnn_service.telemetry.metrics import Metrics


async def test_others_have_their_turns_while_many_labels_are_written() -> None:
    metrics = Metrics()
    for number in range(500):
        metrics.requests.labels("/classify", f"model-{number}", "1", "200").observe(0.01)
    writing = asyncio.create_task(metrics.text())
    turns = 0
    while not writing.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 3
    count = r'larnn_http_request_duration_seconds_count\{.*model="model-499".*\} 1\.0'
    assert re.search(count, (await writing).decode())
