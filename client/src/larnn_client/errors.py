"""What can go wrong: each code of the protocol as a class, and what the client finds by itself."""

from __future__ import annotations


class LarnnError(Exception):
    """Any error of this library; its text says what to do."""


class Unreachable(LarnnError):
    """No address answered for as long as the client was told to try."""


class ProtocolError(LarnnError):
    """What came is not the service's protocol: is the address right?"""


class BufferFull(LarnnError):
    """The stream holds as many steps as it may that are not read or not durable."""


class StreamClosed(LarnnError):
    """The stream was ended or closed by this client."""


class StateLost(LarnnError):
    """The service went back behind steps that it had called durable, or that are not held here."""


class Refused(LarnnError):
    """The service refused: a code of the protocol, and in the text what to do."""

    def __init__(
        self,
        detail: str,
        code: str = "",
        *,
        expected_offset: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}" if code else detail)
        self.detail = detail
        self.code = code
        self.expected_offset = expected_offset
        self.retry_after = retry_after


class BadInput(Refused, ValueError):
    """bad_json, bad_message, bad_shape, bad_value, empty_chunk: correct what the text names."""


class TooLarge(Refused, ValueError):
    """Over a limit, which the text names: send less at once."""


class UnknownModel(Refused):
    """No model of that name is served."""


class Unknown(Refused):
    """An id that this service has not made, or has made for another key."""


class Expired(Refused):
    """The stream was ended, deleted, idle or lost with its process: open a new one."""


class Gap(Refused):
    """Steps before the chunk are missing: another client writes to this stream."""


class Conflict(Refused):
    """The key or the stream is in use for something else."""


class Moved(Refused):
    """Another connection resumed the stream: leave it to that one."""


class Full(Refused):
    """The service is at its limit."""


class Unavailable(Refused):
    """The service's store of streams does not answer."""


class Backpressure(Refused):
    """Too many steps are unacknowledged."""


class Draining(Refused):
    """This replica is shutting down."""


class Internal(Refused):
    """A run failed; nothing was counted."""


class Unauthorized(Refused):
    """The service wants a key, and knows none like this."""


class Forbidden(Refused):
    """The service knows the caller and says no."""


CODES: dict[str, type[Refused]] = {
    **dict.fromkeys(("bad_json", "bad_message", "bad_shape", "bad_value"), BadInput),
    "empty_chunk": BadInput,
    "too_large": TooLarge,
    "too_slow": Refused,  # its connection is closed, as if it had broken
    "bad_model": Refused,  # told an operator alone
    "unknown_model": UnknownModel,
    "unknown": Unknown,
    "expired": Expired,
    "gap": Gap,
    "conflict": Conflict,
    "moved": Moved,
    "full": Full,
    "unavailable": Unavailable,
    "backpressure": Backpressure,
    "draining": Draining,
    "internal": Internal,
    "unauthorized": Unauthorized,
    "forbidden": Forbidden,
}
CLOSE_CODES = {
    1009: "too_large",
    1012: "draining",
    4401: "unauthorized",
    4403: "forbidden",
    4404: "unknown",
    4408: "too_slow",
    4410: "expired",
    4411: "moved",
    4422: "bad_message",
    4429: "backpressure",
    4503: "full",
}
"""What a close frame says where no error message came before it."""

TRANSIENT = (Full, Unavailable, Backpressure, Draining, Internal, Gap)
"""Errors that may pass by themselves: nothing was counted, and the same may be sent again."""


def refused(
    code: str,
    detail: str,
    *,
    expected_offset: int | None = None,
    retry_after: float | None = None,
) -> Refused:
    """The error of a code; a code unknown here is a plain Refused."""
    kind = CODES.get(code, Refused)
    return kind(detail, code, expected_offset=expected_offset, retry_after=retry_after)
