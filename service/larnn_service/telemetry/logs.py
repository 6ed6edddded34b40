"""Log lines: as text for people, or one JSON object a line for machines."""

from __future__ import annotations

import datetime
import logging
from typing import Any, Literal

import msgspec

from larnn_service.telemetry.calls import CALL
from larnn_service.telemetry.tags import tag
from larnn_service.telemetry.traces import trace_id

TEXT = "%(levelname)s %(name)s: %(message)s"


class JsonLines(logging.Formatter):
    """What is logged, and the request, door, model and stream that it was logged for.

    A stream's id is a capability: its tag is logged.
    """

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (call := CALL.get()) is not None:
            line |= {"request": call.id, "door": call.door}
            if call.model:
                line |= {"model": call.model, "version": call.version}
            if call.stream:
                line["stream"] = tag(call.stream)
        if (trace := trace_id()) is not None:
            line["trace"] = trace
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def configure(level: str, form: Literal["text", "json"]) -> None:
    """Send every log line of the process to standard error, in this form."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def is_json() -> bool:
    """Whether the lines of this process are JSON."""
    return any(isinstance(each.formatter, JsonLines) for each in logging.getLogger().handlers)
