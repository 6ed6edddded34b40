"""Asks a service by KServe's own client, where that is: URL, gRPC address, model."""

from __future__ import annotations

import asyncio
import sys

import numpy as np
from kserve import (
    InferenceGRPCClient,
    InferenceRESTClient,
    InferInput,
    InferRequest,
    InferResponse,
    RESTConfig,
)

STEPS = np.array([[[1, 2], [3, 4]]], np.float32)


def asked(model: str, binary: bool) -> InferRequest:
    """The sums of two steps, as numbers of JSON or as bytes."""
    x = InferInput("x", [*STEPS.shape], "FP32")
    x.set_data_from_numpy(STEPS, binary_data=binary)
    return InferRequest(model, [x], request_id="mine")


def check(told: InferResponse, model: str) -> None:
    """The toy's logits of each step are its sums so far, and how many they are."""
    assert told.model_name == model, told.model_name
    [logits] = told.outputs
    np.testing.assert_array_equal(logits.as_numpy().reshape(1, 2, 3), [[[1, 2, 1], [4, 6, 2]]])


async def main(url: str, address: str, model: str) -> None:
    """Every call of both clients."""
    rest = InferenceRESTClient(RESTConfig(protocol="v2", retries=1))
    assert await rest.is_server_live(url)
    assert await rest.is_server_ready(url)
    assert await rest.is_model_ready(url, model)
    for binary in (False, True):
        check(await rest.infer(url, asked(model, binary), model_name=model), model)
    await rest.close()
    client = InferenceGRPCClient(address)
    assert await client.is_server_live() and await client.is_server_ready()
    assert await client.is_model_ready(model)
    check(await client.infer(asked(model, True)), model)
    await client.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
