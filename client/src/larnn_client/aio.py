"""AsyncClient: classify sequences, list models, open and resume streams."""

from __future__ import annotations

import io
import json
import ssl
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import Any, TypeVar

import httpx
import numpy as np
from numpy.typing import ArrayLike

from larnn_client.answers import Classification, Output
from larnn_client.arrays import is_int16, sequence_arrays
from larnn_client.backoff import Backoff
from larnn_client.errors import (
    TRANSIENT,
    BadInput,
    Internal,
    LarnnError,
    ProtocolError,
    Unreachable,
)
from larnn_client.inputs import AS_THE_MODEL, Measured, context_json
from larnn_client.messages import (
    Binary,
    Models,
    Opened,
    Steps,
    classification,
    error,
    models,
    opened,
)
from larnn_client.pump import Pump, Wish
from larnn_client.reading import AnswerReader, Emit
from larnn_client.service import Service, reason, wait_at_least
from larnn_client.stream import AsyncStream

T = TypeVar("T")


class AsyncClient:
    """A service at one address or several; an async context manager."""

    def __init__(
        self,
        *addresses: str,
        key: str | None = None,
        tls: ssl.SSLContext | None = None,
        retry_for: float = 60.0,
        connect_timeout: float = 10.0,
        answer_timeout: float = 60.0,
        keepalive: float = 20.0,
    ) -> None:
        """`addresses` like `http://localhost:8000`, in the order in which to try them; times in
        seconds. `key` is sent to each of them, and so is what it may see: use https."""
        self._service = Service(addresses, key, tls, retry_for, connect_timeout, keepalive)
        self._http = httpx.AsyncClient(
            headers=self._service.headers,
            timeout=httpx.Timeout(answer_timeout, connect=connect_timeout),
            verify=tls or True,
        )
        self._address = 0
        self._outputs: dict[tuple[str, int], tuple[Output, ...]] = {}
        """Of models that have answered, by name and version."""

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections of `classify`; streams have their own."""
        await self._http.aclose()

    async def classify(
        self,
        sequences: ArrayLike | Sequence[ArrayLike],
        *,
        model: str | None = None,
        logits: bool = False,
        outputs: Sequence[str] = (),
        context: Mapping[str, ArrayLike] = MappingProxyType({}),
        measured: Measured | None = None,
    ) -> Classification:
        """Classify sequences [batch, steps, channels], or a list of [steps, channels] each of its
        own length; `outputs` names further outputs to give, `context` is what the model is told of
        all of them, `measured` in which units and axes they are. Tries again, elsewhere too, while
        nothing answers or the service is full."""
        arrays, said = sequence_arrays(sequences), (measured or AS_THE_MODEL).fields
        request = _request(arrays, model, logits, outputs, context, said)
        told = await self._persist("POST", "/classify", dict, **request)
        described = await self._described(told.get("model", ""), told.get("version", 0))
        return classification(told, AnswerReader(described, outputs, "last", logits))

    async def _described(self, model: str, version: int) -> tuple[Output, ...]:
        """The outputs of the version that answered. Raises ProtocolError where it is not told."""
        if (known := self._outputs.get((model, version))) is None:
            served = (await self.models()).models
            self._outputs |= {(each.name, each.version): each.outputs for each in served}
            known = self._outputs.get((model, version))
        if known is None:
            raise ProtocolError(f"the service does not tell what {model} {version} gives")
        return known

    async def models(self) -> Models:
        """What the service serves. Tries again as `classify` does."""
        return await self._persist("GET", "/models", models)

    async def where(self, stream: str) -> Opened:
        """Where a stream stands, by its id; what is `durable` of it moves without a chunk too.

        Tries again as `classify` does. Raises Expired, Unknown.
        """
        return await self._persist("GET", f"/streams/{stream}", opened)

    async def _persist(
        self, method: str, path: str, read: Callable[[dict[str, Any]], T], **request: Any
    ) -> T:
        backoff, internal_errors = Backoff(self._service.retry_for), 0
        while True:
            try:
                return await self._ask(method, path, read, **request)
            except (*TRANSIENT, httpx.TransportError) as error:
                internal_errors += isinstance(error, Internal)
                if internal_errors > 2 or not await backoff.wait(at_least=wait_at_least(error)):
                    raise _final(error, self._service.retry_for) from None
                self._address += 1

    async def _ask(
        self, method: str, path: str, read: Callable[[dict[str, Any]], T], **request: Any
    ) -> T:
        url = self._service.url(self._address, path)
        answer = await self._http.request(method, url, **request)
        try:
            body = answer.json()
            if answer.is_success:
                return read(body)
            problem = error(body, _retry_after(answer))
        except (ValueError, KeyError, TypeError, AttributeError):
            if answer.is_server_error:
                raise httpx.RemoteProtocolError(f"answered {answer.status_code}") from None
            raise ProtocolError(
                f"the address answers {answer.status_code}, and not as the service does"
            ) from None
        raise problem

    def stream(
        self,
        *,
        model: str | None = None,
        resume: str | None = None,
        position: int | None = None,
        logits: bool = False,
        emit: Emit = "last",
        outputs: Sequence[str] = (),
        context: Mapping[str, ArrayLike] = MappingProxyType({}),
        measured: Measured | None = None,
        binary: Binary = True,
        max_in_flight: int = 16,
        max_buffered_steps: int = 16_384,
    ) -> AsyncStream:
        """A new stream, or that of the id `resume`, where `position` is how many steps of it have
        been sent and answered (as the service says, unless given). Enter it with `async with`.
        `outputs` names further outputs of the model to give with each answer. `context` is what the
        model is told once, when the stream opens. `measured` says in which units and axes the steps
        are sent; a stream keeps it, and one that is resumed compares it.

        Chunks are sent up to `max_in_flight` ahead of the answers, and the service keeps the
        answers that are not read. Chunks and answers are binary frames where the service has
        them; without `binary` they are JSON. "int16" sends int16 arrays as they are, to a model
        that scales them.
        """
        if position is not None and resume is None:
            raise ValueError("`position` goes with `resume`")
        if context and resume is not None:
            raise ValueError("`context` is given when a stream opens: it stays with it")
        wish = Wish(
            model,
            resume,
            position,
            logits,
            emit,
            tuple(outputs),
            context_json(context),
            measured or AS_THE_MODEL,
            binary,
            max_in_flight,
            max_buffered_steps,
        )
        return AsyncStream(Pump(self._service, wish))


def _request(
    sequences: list[Steps],
    model: str | None,
    logits: bool,
    outputs: Sequence[str],
    context: Mapping[str, ArrayLike],
    said: Mapping[str, Any],
) -> dict[str, Any]:
    """Sequences of one length as npy, others as JSON."""
    which: dict[str, Any] = {**said} if model is None else {"model": model, **said}
    told = context_json(context)
    if len({sequence.shape for sequence in sequences}) == 1:
        body = io.BytesIO()
        batch = np.stack(sequences)
        np.save(body, batch.astype(batch.dtype.newbyteorder("<"), copy=False))
        params = {"logits": str(logits).lower()} | which
        if outputs:
            params["outputs"] = ",".join(outputs)
        if told:
            params["context"] = json.dumps(told)
        headers = {"Content-Type": "application/x-npy"}
        return {"content": body.getvalue(), "params": params, "headers": headers}
    if any(map(is_int16, sequences)):
        raise BadInput("int16 sequences go in one length; make these float32, scaled", "bad_shape")
    numbers = [sequence.tolist() for sequence in sequences]
    asked = {"sequences": numbers, "logits": logits} | which
    further = {"outputs": list(outputs), "context": told}
    return {"json": asked | {name: value for name, value in further.items() if value}}


def _retry_after(answer: httpx.Response) -> float | None:
    seconds = answer.headers.get("retry-after", "")
    return float(seconds) if seconds.isdecimal() else None


def _final(error: Exception, retry_for: float) -> Exception:
    if isinstance(error, LarnnError):
        return error
    return Unreachable(f"no success within {retry_for:g} s; last: {reason(error)}")
