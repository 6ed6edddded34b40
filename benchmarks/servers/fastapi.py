"""FastAPI, one run a request."""

from __future__ import annotations

import io
from typing import Annotated

import numpy as np
import uvicorn
from fastapi import Body, FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi.requests import Request
from pydantic import BaseModel

from benchmarks.servers.graph import PORT, Graph

app = FastAPI()
graph = Graph()


class Window(BaseModel):
    x: list[list[list[float]]]


class Logits(BaseModel):
    logits: list[list[float]]


@app.get("/health")
def health() -> None:
    pass


@app.post("/json")
def json(window: Annotated[Window, Body()]) -> Logits:
    return Logits(logits=graph.run(np.array(window.x, dtype=np.float32)).tolist())


@app.post("/npy")
async def npy(request: Request) -> Logits:
    x = np.load(io.BytesIO(await request.body()))
    logits = await run_in_threadpool(graph.run, x)
    return Logits(logits=logits.tolist())


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=PORT, access_log=False, log_level="warning")
