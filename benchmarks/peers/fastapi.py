"""FastAPI as most would write it: one run for each request, in its pool of threads."""

from __future__ import annotations

import io
from typing import Annotated

import numpy as np

from benchmarks.peers.asks import plain_json, plain_npy
from benchmarks.peers.base import SERVING, Peer


class FastAPI(Peer):
    name = "fastapi"
    health = "/health"
    asks = {"JSON": plain_json("/json"), "binary": plain_npy("/npy")}


if SERVING == "fastapi":
    import fastapi
    import uvicorn
    from fastapi.concurrency import run_in_threadpool
    from pydantic import BaseModel

    from benchmarks.peers.graph import PORT, Graph

    app = fastapi.FastAPI()
    graph = Graph()

    class Window(BaseModel):
        x: list[list[list[float]]]

    class Logits(BaseModel):
        logits: list[list[float]]

    @app.get("/health")
    def health() -> None:
        pass

    @app.post("/json")
    def json(window: Annotated[Window, fastapi.Body()]) -> Logits:
        return Logits(logits=graph.run(np.array(window.x, dtype=np.float32)).tolist())

    @app.post("/npy")
    async def npy(request: fastapi.Request) -> Logits:
        x = np.load(io.BytesIO(await request.body()))
        logits = await run_in_threadpool(graph.run, x)
        return Logits(logits=logits.tolist())

    if __name__ == "__main__":
        uvicorn.run(app, host="127.0.0.1", port=PORT, access_log=False, log_level="warning")
