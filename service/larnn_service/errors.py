"""What can go wrong, in the service's own words. `wire/error_responses.py` tells clients."""

from __future__ import annotations

from typing import ClassVar

SHOWN = 100
"""Characters of what a client sent that an error repeats."""
MOST = 600
"""Characters of an error."""


def quoted(value: object) -> str:
    """What a client sent, for an error: as text that can be encoded, and not much of it."""
    text = str(value) if isinstance(value, str | Exception) else repr(value)
    shown = text[:SHOWN].encode("utf-8", "replace").decode()
    return shown if len(text) <= SHOWN else f"{shown}…"


class StartupError(Exception):
    """The service refuses to start; the text says what to do."""


class Passing(StartupError):
    """It may go at the next try, though no file has changed: an I/O error, or a lack of time."""


class ServiceError(Exception):
    """An error that a client is told: a code of the protocol and what to do about it."""

    code: ClassVar[str]

    def __init__(self, detail: str, **extra: int | str) -> None:
        detail = detail[:MOST]
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class BadJson(ServiceError):
    code = "bad_json"


class BadMessage(ServiceError):
    code = "bad_message"


class BadShape(ServiceError):
    code = "bad_shape"


class BadValue(ServiceError):
    code = "bad_value"


class EmptyChunk(ServiceError):
    code = "empty_chunk"


class TooLarge(ServiceError):
    code = "too_large"


class BadModel(ServiceError):
    """A version in the models folder that is not whole; the text is the operator's to read."""

    code = "bad_model"

    def __init__(self, detail: str, lasting: bool = True) -> None:
        """`lasting`: as long as its files are these."""
        super().__init__(detail)
        self.lasting = lasting


class TooSlow(ServiceError):
    code = "too_slow"


class UnknownModel(ServiceError):
    code = "unknown_model"


class UnknownStream(ServiceError):
    """No such stream, or none of this caller's: which of the two is not told."""

    code = "unknown"

    def __init__(
        self, detail: str = "there is no such stream; open one and use the id it gets"
    ) -> None:
        super().__init__(detail)


class Expired(ServiceError):
    code = "expired"


class Gap(ServiceError):
    code = "gap"

    def __init__(self, offset: int, position: int) -> None:
        super().__init__(
            f"the chunk starts at step {offset}, the stream has consumed {position}; "
            f"send the steps from {position} on. If they were called durable, the store has lost "
            "them: open a new stream",
            expected_offset=position,
        )


class Conflict(ServiceError):
    code = "conflict"


class Moved(ServiceError):
    code = "moved"


class Full(ServiceError):
    code = "full"


class Unavailable(ServiceError):
    code = "unavailable"

    def __init__(self, why: str = "the store of streams does not answer") -> None:
        super().__init__(f"{why}; nothing is lost, send it again")


class Backpressure(ServiceError):
    code = "backpressure"


class Unauthorized(ServiceError):
    code = "unauthorized"


class Forbidden(ServiceError):
    code = "forbidden"


class Draining(ServiceError):
    """The replica lets go of its clients, of all or of this one."""

    code = "draining"

    def __init__(self, why: str = "this replica is shutting down") -> None:
        super().__init__(f"{why}; reconnect, elsewhere if you can")


class Internal(ServiceError):
    code = "internal"

    def __init__(self) -> None:
        super().__init__("the service failed to run this; nothing was counted, send it again")
