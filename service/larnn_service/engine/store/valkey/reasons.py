"""Why a store does not serve, in words that have no name or password inside."""

from __future__ import annotations

from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import (
    AuthenticationError,
    MovedError,
    NoPermissionError,
    ReadOnlyError,
    ResponseError,
)

from larnn_service.engine.store.valkey.address import CLUSTER, FORM, SENTINEL, Address
from larnn_service.engine.store.valkey.awaited import Awaited
from larnn_service.engine.store.valkey.lane import TooFewReplicas

_AT = "LARNN_STORE: the server at {hosts} "
_SENTENCES: list[tuple[type[Exception], str, str]] = [
    (AuthenticationError, "", _AT + "refuses the name or the password"),
    (
        NoPermissionError,
        "",
        _AT + "refuses a command to this user: docs/deployment.md has the rules to set",
    ),
    (ReadOnlyError, "", _AT + f"is a replica: name the one that takes writes, or say {SENTINEL}"),
    (MovedError, "", _AT + f"is one of a cluster: say {CLUSTER}"),
    (
        MasterNotFoundError,
        "",
        "LARNN_STORE: no Sentinel at {hosts} names a server for {service}: start them first, or "
        f"correct {SENTINEL}",
    ),
    (
        TooFewReplicas,
        "",
        "LARNN_STORE_REPLICAS={replicas}: {cause}: start them, or await fewer",
    ),
    (
        ResponseError,
        "WAITAOF",
        "LARNN_STORE_REPLICAS_ON_DISK: the server at {hosts} does not wait for disks: it takes "
        "Valkey, or Redis 7.2, and appendonly yes",
    ),
    (ResponseError, "cluster support disabled", _AT + f"is of no cluster: say {FORM}"),
    (ResponseError, "'SENTINEL'", _AT + f"is no Sentinel: say {FORM}"),
    (ResponseError, "", _AT + "refuses what the service asks ({kind}): its own log tells more"),
    (
        Exception,
        "certificate",
        _AT + "and this client do not trust each other's certificates: name the authority, "
        "?ssl_ca_certs=/path/ca.pem, and where it asks for one &ssl_certfile=… &ssl_keyfile=…",
    ),
    (
        ConnectionResetError,
        "",
        _AT + "ends the connection: where it speaks TLS say rediss://…, and where it asks for a "
        "certificate ?ssl_certfile=… &ssl_keyfile=…",
    ),
    (
        OSError,
        "[Errno 2]",
        "LARNN_STORE: a certificate or a socket that the address names is not there",
    ),
    (OSError, "[Errno 13]", "LARNN_STORE: a file that the address names may not be read"),
    (Exception, "", _AT + f"does not serve ({{kind}}): start it first, or correct {FORM}"),
]
"""Of which kind an error is, what its text has, and what an operator reads."""


def kind(error: BaseException) -> str:
    """What went wrong while serving, without the server's text: an address may be inside."""
    if isinstance(error, TooFewReplicas):
        return str(error)
    word = str(error).partition(" ")[0]
    told = isinstance(error, ResponseError) and word.isalpha() and word.isupper()
    return f"{type(error).__name__} {word}" if told else type(error).__name__


def sentence(error: Exception, address: Address, awaited: Awaited) -> str:
    """Why the service refuses to start, and what to do about it."""
    cause = _root(error)
    text = next(
        text
        for of, words, text in _SENTENCES
        if isinstance(cause, of) and words.lower() in str(cause).lower()
    )
    return text.format(
        hosts=address.hosts,
        service=address.service,
        replicas=awaited.replicas,
        cause=cause,
        kind=kind(cause),
    )


def _root(error: Exception) -> Exception:
    """The first of the errors that led to this one, up to what a server has answered.

    A time limit's error comes of a task's cancellation, which is no error and tells nothing.
    """
    answered = ResponseError | AuthenticationError | MasterNotFoundError | TooFewReplicas
    while not isinstance(error, answered):
        before = error.__cause__ or error.__context__
        if not isinstance(before, Exception):
            break
        error = before
    return error
