"""What the engine holds now, read when somebody asks: nothing is counted on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from larnn_service.engine.engine import Engine
from larnn_service.engine.models.registry import key


class EngineGauges(Collector):
    """Streams, their state, connections, waiting steps, models, readiness."""

    def __init__(self, engine: Engine, waiting_bytes: Callable[[], int]) -> None:
        """`waiting_bytes`: those of requests and messages that are not answered yet."""
        self._engine, self._waiting_bytes = engine, waiting_bytes

    def describe(self) -> Iterator[Metric]:
        """None, so that registering asks nothing."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        engine, of_version = self._engine, ["model", "version"]
        streams: Counter[tuple[str, int]] = Counter()
        state: Counter[tuple[str, int]] = Counter()
        for stream in engine.streams:
            version = key(stream.model)
            streams[version] += 1
            state[version] += stream.checkpoint.outputs.nbytes
            if not stream.resting and not stream.checkpoint.ended:
                state[version] += stream.model.manifest.contract.state_bytes
        yield _gauge("larnn_streams", "Streams in memory.", of_version, streams)
        yield _gauge("larnn_state_bytes", "Their state and kept outputs.", of_version, state)
        waiting = {key(model): batcher.waiting_steps for model, batcher in engine.batchers()}
        yield _gauge("larnn_waiting_steps", "Steps that wait for a run.", of_version, waiting)
        size = {(): self._waiting_bytes()}
        yield _gauge("larnn_waiting_bytes", "Bytes that came and are not answered.", [], size)
        connections = {(): len(engine.streams.connections)}
        yield _gauge("larnn_connections", "Websockets that are open on streams.", [], connections)
        models = {
            (*version, model.backend.provider, str(engine.models.is_serving(model)).lower()): 1
            for version, model in engine.models.loaded().items()
        }
        of_model = [*of_version, "provider", "serving"]
        yield _gauge(
            "larnn_model_info", "Versions in memory, and what runs them.", of_model, models
        )
        ready = {(): int(engine.ready)}
        yield _gauge(
            "larnn_ready", "1 when warm and able, 0 while draining or without a store.", [], ready
        )


def _gauge(name: str, text: str, labels: list[str], values: Mapping[Any, int]) -> Metric:
    """`values` by a tuple of the labels' values."""
    family = GaugeMetricFamily(name, text, labels=labels)
    for label, value in values.items():
        family.add_metric([str(part) for part in label], value)
    return family
