"""The bodies of the HTTP endpoints beside a stream's."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct, UnsetType

from larnn_service.wire.stream_schemas import Answer, OutputNames, Version, array_schema

RawSequences = Annotated[msgspec.Raw, Meta(extra_json_schema=array_schema(3))]
"""Numbers [batch][steps][channels], which `wire.arrays` reads."""


ContextBody = dict[str, Annotated[msgspec.Raw, Meta(extra_json_schema={"description": "numbers"})]]
"""A number, true or false, or an array of the tensor's shape by the name of each context tensor,
which `wire.context` reads."""


class ClassifyBody(Struct, forbid_unknown_fields=True):
    """Sequences [batch][steps][channels], each of its own length, or texts [batch]."""

    sequences: RawSequences | UnsetType = msgspec.UNSET
    texts: list[str] | UnsetType = msgspec.UNSET
    model: str | None = None
    version: Version | None = None
    logits: bool = False
    outputs: OutputNames = []
    probabilities: bool = True
    unsure: bool | None = None
    context: ContextBody = {}
    units: str = ""
    axes: str = ""
    sample_rate_hz: float | None = None


class ClassifyAnswer(Struct):
    """One prediction a sequence, in order."""

    model: str
    version: int
    predictions: list[Answer]


class OpenBody(Struct, forbid_unknown_fields=True):
    """Which model a new stream runs on, with which context, and of which numbers."""

    model: str | None = None
    version: Version | None = None
    context: ContextBody = {}
    units: str = ""
    axes: str = ""
    sample_rate_hz: float | None = None


class WhichBody(Struct, forbid_unknown_fields=True):
    """One version of the model, or without it what the endpoint says."""

    version: Version | None = None


class ShedBody(Struct, forbid_unknown_fields=True):
    """Which part of the live streams shall go elsewhere."""

    share: Annotated[float, Meta(gt=0, le=1)] = 0.5


class Problem(Struct):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    expected_offset: int | UnsetType = msgspec.UNSET
