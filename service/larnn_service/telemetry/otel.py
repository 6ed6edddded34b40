"""OpenTelemetry, where its environment variables name a collector and its packages are there."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from fastapi.telemetry import TelemetryConfig
from opentelemetry.metrics import CallbackOptions, Histogram, Meter, Observation

from larnn_service.telemetry.metrics import Metrics, Observed
from larnn_service.telemetry.traces import Traces, without_ids

logger = logging.getLogger(__name__)

OFF: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
_ENDPOINTS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)
_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def export(metrics: Metrics) -> TelemetryConfig:
    """Let spans and metrics go to the collector too; what the application is to do about it.

    The framework makes the spans and metrics of HTTP, and the exporters from the variables.
    """
    disabled = os.getenv("OTEL_SDK_DISABLED", "").lower() == "true"
    if disabled or not any(map(os.getenv, _ENDPOINTS)):
        return OFF
    if not all(map(_is_installed, _NEEDED)):
        logger.warning(
            "a collector is named, but not used: "
            "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"
        )
        return OFF
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider

    class Redaction(SpanProcessor):
        """A stream's id is a capability: the collector gets its tag."""

        def on_start(self, span: Span, parent_context: object = None) -> None:
            for name in ("url.path", "url.query"):
                if isinstance(text := (span.attributes or {}).get(name), str):
                    span.set_attribute(name, without_ids(text))

    tracers, meters = TracerProvider(shutdown_on_exit=False), MeterProvider(shutdown_on_exit=False)
    tracers.add_span_processor(Redaction())
    metrics.traces = Traces(tracers)
    mirror(metrics, meters.get_meter("larnn"))
    return {
        "tracer_provider": tracers,
        "meter_provider": meters,
        "logs": False,
        "operation_spans": False,
        "auto_configure": True,
    }


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package above it
        return False


@dataclass(frozen=True)
class Both:
    """An observation for Prometheus, and the same for OpenTelemetry."""

    child: Observed
    instrument: Histogram
    attributes: Mapping[str, str]

    def observe(self, amount: float) -> None:
        self.child.observe(amount)
        self.instrument.record(amount, self.attributes)


def mirror(metrics: Metrics, meter: Meter) -> None:
    """Give the meter every observation as it comes, and every count and gauge when it asks."""
    instruments = {}
    for family in metrics.families():
        name = family.name.removesuffix("_seconds").replace("_", ".")
        if family.type == "histogram":
            unit = "s" if family.name.endswith("_seconds") else "1"
            instruments[family.name] = meter.create_histogram(name, unit, family.documentation)
        elif family.type == "counter":
            meter.create_observable_counter(name, [_reader(metrics, family.name)])
        else:
            meter.create_observable_gauge(name, [_reader(metrics, family.name)])
    metrics.also = lambda name, labels, child: Both(child, instruments[name], labels)


def _reader(metrics: Metrics, name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def read(_: CallbackOptions) -> Iterable[Observation]:
        [family] = [family for family in metrics.families() if family.name == name]
        return [Observation(sample.value, sample.labels) for sample in family.samples]

    return read
