"""NVIDIA's gRPC client as the tests use it."""

from __future__ import annotations

import queue
from typing import Any

import numpy as np
import tritonclient.grpc as triton
from numpy.typing import NDArray

from tests.server.test_access import PHONE

HEADERS = {"authorization": f"Bearer {PHONE}"}


def x_of(steps: Any, name: str = "x", datatype: str = "FP32") -> Any:
    array = np.asarray(steps, np.float64 if datatype == "FP64" else np.float32)
    tensor = triton.InferInput(name, array.shape, datatype)
    tensor.set_data_from_numpy(array)
    return tensor


def infer(client: Any, steps: Any, **options: Any) -> NDArray[np.float32]:
    options.setdefault("headers", HEADERS)
    answer = client.infer("toy", [x_of(steps)], client_timeout=60, **options)
    logits: NDArray[np.float32] = answer.as_numpy("logits")
    return logits


class Conversation:
    """A bidirectional stream, and what came back."""

    def __init__(self, client: Any, headers: dict[str, str] = HEADERS) -> None:
        self._client = client
        self._answers: queue.Queue[tuple[Any, Any]] = queue.Queue()
        client.start_stream(
            callback=lambda result, error: self._answers.put((result, error)), headers=headers
        )

    def send(self, steps: Any, **options: Any) -> None:
        self._client.async_stream_infer("toy", [x_of(steps)], **options)

    def answer(self) -> tuple[Any, Any]:
        return self._answers.get(timeout=60)

    def logits(self) -> NDArray[np.float32]:
        result, error = self.answer()
        assert error is None, error
        logits: NDArray[np.float32] = result.as_numpy("logits")
        return logits
